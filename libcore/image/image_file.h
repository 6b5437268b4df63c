// ImageFile: what all machines that run one build of a kernel share, its symbols and types, decoded
// once into a file that is used where it is mapped.
//
// The file knows the digest of the guest's bytes that it was made of. It is used for a machine that
// has the same bytes, and for no other, whatever that says of itself. The digest's key is the
// file's own and random: nobody can make bytes that pass for others.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "libcore/base/result.h"
#include "libcore/image/image_digest.h"
#include "libcore/image/symbol_table.h"
#include "libcore/image/type_info.h"

namespace ktstr {

class ImageFile : public std::enable_shared_from_this<ImageFile> {
 public:
  // A whole file in place of what stood at `path`. `types` may be null. Errors: kIo.
  static Status Write(const std::filesystem::path& path, const ImageExtents& extents,
                      const ImageKey& key, const ImageDigest& digest, const SymbolTable& symbols,
                      const TypeInfo* types);
  // Errors: kNotFound (no such file), kDamaged (another version, or not what was written),
  // kUnsupported (others than this user could have written it), kIo.
  static Result<std::shared_ptr<const ImageFile>> Open(const std::filesystem::path& path);
  ~ImageFile();
  ImageFile(const ImageFile&) = delete;

  const ImageExtents& extents() const { return header_.extents; }
  const ImageKey& key() const { return header_.key; }
  const ImageDigest& digest() const { return header_.digest; }

  // The symbols, as they lay in the machine that the file was made of. Errors: kDamaged.
  static Result<SymbolTable> Symbols(std::shared_ptr<const ImageFile> file);
  // The types, or nothing where that machine's could not be read. Errors: kDamaged.
  static Result<std::optional<TypeInfo>> Types(std::shared_ptr<const ImageFile> file);

 private:
  // Parts of the file, each an array; their numbers are its format.
  enum Part : size_t {
    kNames,
    kEntries,
    kSlots,
    kNext,
    kBlob,
    kOffsets,
    kStructs,
    kOthers,
    kVariables,
    kEnumeratorNames,
    kEnumerators,
    kTags,
    kParts
  };
  struct Place {
    uint64_t offset, size;  // in bytes
    uint64_t checksum;
  };
  struct Header {
    std::array<char, 8> magic;
    uint64_t version;
    ImageExtents extents;
    ImageKey key;
    ImageDigest digest;
    std::array<Place, kParts> places;
    uint64_t checksum;  // of all before it
  };

  ImageFile() = default;
  Status ReadHeader();
  template <typename T>
  Result<std::span<const T>> Get(Part part) const;

  std::span<const std::byte> bytes_;  // mapped
  Header header_{};
};

}  // namespace ktstr

// StoredImages: which archives' stored bytes are known to be those that a file of decoded symbols
// and types was made of (ImageFile), so that who looks at one of them again need not decompress
// them to know it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "libcore/image/image_digest.h"

namespace ktstr {

// A list of digests (DigestStoredImage) beside the file, under the file's own secret key. One is
// added once the bytes themselves were read and are the file's: what an archive says of itself adds
// none, and nobody who lacks the key can make stored bytes that have the digest of others. A list
// that was damaged, or is another file's, has digests that are no machine's.
class StoredImages {
 public:
  // Of the image file at that path.
  explicit StoredImages(const std::filesystem::path& image);

  bool Has(const ImageDigest& digest) const;
  // Where there is no place for it, it is not there the next time, either.
  void Add(const ImageDigest& digest) const;

  // More begin a new list.
  static constexpr uint64_t kMost = 4096;
  static constexpr std::string_view kSuffix = ".stored";
  // Where the list is.
  static std::filesystem::path PathFor(const std::filesystem::path& image);

 private:
  std::filesystem::path path_;
};

}  // namespace ktstr

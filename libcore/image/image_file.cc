#include "libcore/image/image_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "libcore/base/output_file.h"
#include "libcore/image/btf.h"

namespace ktstr {

namespace {

constexpr std::array<char, 8> kMagic = {'k', 't', 's', 'i', 'm', 'a', 'g', 'e'};
// Another one whenever the arrays, or the hash of names, become others.
constexpr uint64_t kVersion = 1;
constexpr uint64_t kAlignment = 64;

uint64_t ChecksumOf(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

Error NotOurs(std::string_view why) {
  return Error(ErrorCode::kDamaged,
               fmt::format("a file of decoded symbols and types is of no use: {}", why));
}

template <typename Array>
std::span<const std::byte> BytesOf(const Array& array) {
  return std::as_bytes(std::span(array));
}

}  // namespace

Status ImageFile::Write(const std::filesystem::path& path, const ImageExtents& extents,
                        const ImageKey& key, const ImageDigest& digest, const SymbolTable& symbols,
                        const TypeInfo* types) {
  std::array<std::span<const std::byte>, kParts> parts;
  const SymbolArrays& arrays = symbols.arrays();
  parts[kNames] = BytesOf(arrays.names);
  parts[kEntries] = BytesOf(arrays.entries);
  parts[kSlots] = BytesOf(arrays.slots);
  parts[kNext] = BytesOf(arrays.next);
  if (types != nullptr) {
    const BtfIndex& index = types->blob().index();
    parts[kBlob] = types->blob().raw();
    parts[kOffsets] = BytesOf(index.offsets);
    parts[kStructs] = BytesOf(index.structs);
    parts[kOthers] = BytesOf(index.others);
    parts[kVariables] = BytesOf(index.variables);
    parts[kEnumeratorNames] = BytesOf(index.enumerator_names);
    parts[kEnumerators] = BytesOf(index.enumerators);
    parts[kTags] = BytesOf(index.tags);
  }
  static_assert(std::is_trivially_copyable_v<Header>);
  Header header;
  std::memset(static_cast<void*>(&header), 0, sizeof header);
  header.magic = kMagic;
  header.version = kVersion;
  header.extents = extents;
  header.key = key;
  header.digest = digest;
  // An empty part is at 0.
  uint64_t end = sizeof header;
  for (size_t part = 0; part < kParts; ++part) {
    if (parts[part].empty()) continue;
    const uint64_t begin = (end + kAlignment - 1) / kAlignment * kAlignment;
    header.places[part] = {begin, parts[part].size(), ChecksumOf(parts[part])};
    end = begin + parts[part].size();
  }
  header.checksum = ChecksumOf(BytesOf(std::span(&header, 1)).first(offsetof(Header, checksum)));
  OutputFile file = KTSTR_TRY(OutputFile::Create(path, OutputFile::Existing::kReplace));
  KTSTR_TRY(file.WriteAt(0, BytesOf(std::span(&header, 1))));
  for (size_t part = 0; part < kParts; ++part) {
    if (!parts[part].empty()) KTSTR_TRY(file.WriteAt(header.places[part].offset, parts[part]));
  }
  return file.Publish();
}

Result<std::shared_ptr<const ImageFile>> ImageFile::Open(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                fmt::format("{}: {}", path.native(), std::strerror(errno)));
  }
  struct stat info = {};
  const bool known = fstat(fd, &info) == 0;
  if (!known || !S_ISREG(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 022) != 0) {
    close(fd);
    return Fail(ErrorCode::kUnsupported, fmt::format("{} is not this user's alone", path.native()));
  }
  std::shared_ptr<ImageFile> file(new ImageFile);
  const auto size = size_t(info.st_size);
  void* bytes = size == 0 ? MAP_FAILED : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (bytes == MAP_FAILED) return Fail(NotOurs("it cannot be mapped"));
  file->bytes_ = {static_cast<const std::byte*>(bytes), size};
  KTSTR_TRY(file->ReadHeader());
  return file;
}

ImageFile::~ImageFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

Status ImageFile::ReadHeader() {
  if (bytes_.size() < sizeof header_) return Fail(NotOurs("it is too short"));
  std::memcpy(static_cast<void*>(&header_), bytes_.data(), sizeof header_);
  if (header_.magic != kMagic || header_.version != kVersion) {
    return Fail(NotOurs("it is of another version"));
  }
  if (ChecksumOf(bytes_.first(offsetof(Header, checksum))) != header_.checksum) {
    return Fail(NotOurs("it is not what was written"));
  }
  for (const Place& place : header_.places) {
    if (place.offset % kAlignment != 0 || place.offset > bytes_.size() ||
        place.size > bytes_.size() - place.offset) {
      return Fail(NotOurs("it is cut short"));
    }
  }
  return {};
}

template <typename T>
Result<std::span<const T>> ImageFile::Get(Part part) const {
  const Place& place = header_.places[part];
  const auto bytes = bytes_.subspan(place.offset, place.size);
  if (bytes.empty()) return std::span<const T>();
  if (place.size % sizeof(T) != 0 || ChecksumOf(bytes) != place.checksum) {
    return Fail(NotOurs("it is not what was written"));
  }
  return std::span(reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T));
}

Result<SymbolTable> ImageFile::Symbols(std::shared_ptr<const ImageFile> file) {
  const auto names = KTSTR_TRY(file->Get<char>(kNames));
  const SymbolArrays arrays = {{names.data(), names.size()},
                               KTSTR_TRY(file->Get<SymbolEntry>(kEntries)),
                               KTSTR_TRY(file->Get<NameSlot>(kSlots)),
                               KTSTR_TRY(file->Get<uint32_t>(kNext))};
  return SymbolTable::With(arrays, std::move(file));
}

Result<std::optional<TypeInfo>> ImageFile::Types(std::shared_ptr<const ImageFile> file) {
  const auto blob = KTSTR_TRY(file->Get<std::byte>(kBlob));
  if (blob.empty()) return std::optional<TypeInfo>();
  const BtfIndex index = {KTSTR_TRY(file->Get<uint32_t>(kOffsets)),
                          KTSTR_TRY(file->Get<NameSlot>(kStructs)),
                          KTSTR_TRY(file->Get<NameSlot>(kOthers)),
                          KTSTR_TRY(file->Get<NameSlot>(kVariables)),
                          KTSTR_TRY(file->Get<NameSlot>(kEnumeratorNames)),
                          KTSTR_TRY(file->Get<BtfEnumerator>(kEnumerators)),
                          KTSTR_TRY(file->Get<BtfTag>(kTags))};
  return std::optional(TypeInfo(KTSTR_TRY(Btf::With(blob, index, std::move(file)))));
}

}  // namespace ktstr

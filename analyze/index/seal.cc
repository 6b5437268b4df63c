#include "analyze/index/seal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "libcore/archive/checksum.h"
#include "libcore/archive/input_file.h"

namespace ktstr {

namespace {

constexpr size_t kHeaderSize = 100;  // of a SQLite file
constexpr size_t kUserVersion = 60, kApplicationId = 68, kFieldSize = 4;
constexpr uint64_t kBufferSize = 256 << 10;  // stays in a CPU's cache

// The two halves of a seal, as they stand in the file.
struct Seal {
  std::array<char, kFieldSize> high = {}, low = {};
  bool operator==(const Seal&) const = default;
};

// Takes the seal out of a header, and leaves zeros there.
Seal TakeSeal(std::byte* header) {
  Seal seal;
  std::memcpy(seal.high.data(), header + kUserVersion, kFieldSize);
  std::memcpy(seal.low.data(), header + kApplicationId, kFieldSize);
  std::memset(header + kUserVersion, 0, kFieldSize);
  std::memset(header + kApplicationId, 0, kFieldSize);
  return seal;
}

// The seal that the file should have; into `found` goes the one that it has.
std::optional<Seal> Compute(const std::filesystem::path& path, Seal* found) {
  const auto file = archive::InputFile::Open(path);
  if (!file || file->size() < kHeaderSize) return std::nullopt;
  archive::DigestStream digest;
  std::vector<std::byte> buffer(kBufferSize);
  for (uint64_t at = 0; at < file->size(); at += kBufferSize) {
    const auto piece = std::span(buffer).first(std::min(kBufferSize, file->size() - at));
    if (!file->ReadAt(at, piece)) return std::nullopt;
    if (at == 0) *found = TakeSeal(piece.data());
    digest.Add(piece);
  }
  const archive::Digest bytes = digest.Get();
  Seal seal;
  std::memcpy(seal.high.data(), bytes.data(), kFieldSize);
  std::memcpy(seal.low.data(), bytes.data() + kFieldSize, kFieldSize);
  return seal;
}

bool WriteField(int fd, size_t offset, const std::array<char, kFieldSize>& field) {
  return pwrite(fd, field.data(), kFieldSize, static_cast<off_t>(offset)) == ssize_t(kFieldSize);
}

}  // namespace

Status SealIndex(const std::filesystem::path& path) {
  Seal found;
  const std::optional<Seal> seal = Compute(path, &found);
  const int fd = seal ? open(path.c_str(), O_WRONLY | O_CLOEXEC) : -1;
  const bool written = fd >= 0 && WriteField(fd, kUserVersion, seal->high) &&
                       WriteField(fd, kApplicationId, seal->low);
  const int error = errno;
  if (fd >= 0) close(fd);
  if (written) return {};
  return Fail(ErrorCode::kIo,
              fmt::format("sealing the index {}: {}", path.native(), std::strerror(error)));
}

bool SealHolds(const std::filesystem::path& path) {
  Seal found;
  const std::optional<Seal> seal = Compute(path, &found);
  return seal && *seal == found;
}

}  // namespace ktstr

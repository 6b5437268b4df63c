#include "analyze/index/seal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

namespace ktstr {

namespace {

constexpr size_t kHeaderSize = 100;  // of a SQLite file
constexpr size_t kUserVersion = 60, kApplicationId = 68, kFieldSize = 4;
constexpr size_t kBufferSize = 256 << 10;  // stays in a CPU's cache

class File {
 public:
  File(const std::filesystem::path& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// The two halves of a seal, as they stand in the file.
struct Seal {
  std::array<char, kFieldSize> high = {}, low = {};
  bool operator==(const Seal&) const = default;
};

// Takes the seal out of a header, and leaves zeros there.
Seal TakeSeal(char* header) {
  Seal seal;
  std::memcpy(seal.high.data(), header + kUserVersion, kFieldSize);
  std::memcpy(seal.low.data(), header + kApplicationId, kFieldSize);
  std::memset(header + kUserVersion, 0, kFieldSize);
  std::memset(header + kApplicationId, 0, kFieldSize);
  return seal;
}

// Fills the buffer unless the file ends; -1 on errors.
ssize_t ReadFull(int fd, std::vector<char>& buffer) {
  size_t got = 0;
  while (got < buffer.size()) {
    const ssize_t n = read(fd, buffer.data() + got, buffer.size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(got);
}

// The seal that the file should have; into `found` goes the one that it has.
std::optional<Seal> Compute(int fd, Seal* found) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  XXH3_64bits_reset(state.get());
  std::vector<char> buffer(kBufferSize);
  for (bool first = true;; first = false) {
    const ssize_t got = ReadFull(fd, buffer);
    if (got < 0 || (first && got < static_cast<ssize_t>(kHeaderSize))) return std::nullopt;
    if (got == 0) break;
    if (first) *found = TakeSeal(buffer.data());
    XXH3_64bits_update(state.get(), buffer.data(), static_cast<size_t>(got));
  }
  XXH64_canonical_t bytes;
  XXH64_canonicalFromHash(&bytes, XXH3_64bits_digest(state.get()));
  Seal seal;
  std::memcpy(seal.high.data(), bytes.digest, kFieldSize);
  std::memcpy(seal.low.data(), bytes.digest + kFieldSize, kFieldSize);
  return seal;
}

bool WriteField(int fd, size_t offset, const std::array<char, kFieldSize>& field) {
  return pwrite(fd, field.data(), kFieldSize, static_cast<off_t>(offset)) == ssize_t(kFieldSize);
}

}  // namespace

Status SealIndex(const std::filesystem::path& path) {
  const File file(path, O_RDWR);
  Seal found;
  const std::optional<Seal> seal = Compute(file.fd(), &found);
  if (seal && WriteField(file.fd(), kUserVersion, seal->high) &&
      WriteField(file.fd(), kApplicationId, seal->low)) {
    return {};
  }
  return Fail(ErrorCode::kIo,
              fmt::format("sealing the index {}: {}", path.native(), std::strerror(errno)));
}

bool SealHolds(const std::filesystem::path& path) {
  const File file(path, O_RDONLY);
  Seal found;
  const std::optional<Seal> seal = Compute(file.fd(), &found);
  return seal && *seal == found;
}

}  // namespace ktstr

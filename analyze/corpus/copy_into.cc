#include "analyze/corpus/copy_into.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

namespace ktstr {

namespace {

constexpr size_t kPiece = size_t{1} << 20;  // in bytes

Error CopyError(const char* doing, const std::filesystem::path& path) {
  return Error(ErrorCode::kIo,
               fmt::format("{} '{}': {}", doing, path.string(), std::strerror(errno)));
}

using File = std::unique_ptr<const int, void (*)(const int*)>;

File OpenFile(const std::filesystem::path& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return {nullptr, [](const int*) {}};
  return {new int(fd), [](const int* held) {
            close(*held);
            delete held;
          }};
}

}  // namespace

Status CopyInto(const std::filesystem::path& from, const TemporaryFile& to) {
  const File source = OpenFile(from, O_RDONLY);
  if (source == nullptr) return Fail(CopyError("reading", from));
  const File target = OpenFile(to.path(), O_WRONLY | O_TRUNC);
  if (target == nullptr) return Fail(CopyError("writing", to.final_path()));
  std::vector<char> piece(kPiece);
  for (;;) {
    const ssize_t got = read(*source, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(CopyError("reading", from));
    if (got == 0) return {};
    for (ssize_t done = 0; done < got;) {
      const ssize_t written = write(*target, piece.data() + done, static_cast<size_t>(got - done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Fail(CopyError("writing", to.final_path()));
      done += written;
    }
  }
}

}  // namespace ktstr

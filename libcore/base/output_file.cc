#include "libcore/base/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "libcore/base/in_the_making.h"
#include "libcore/base/output_place.h"

namespace ktstr {

namespace {

constexpr size_t kBufferSize = 1 << 20;
// So much is handed to the disk at a time while writing goes on; what is left for the end is then
// little.
constexpr uint64_t kSyncStep = 8 << 20;
constexpr mode_t kAnybody = 0666;  // less the umask

std::filesystem::path DescriptorPath(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

}  // namespace

OutputFile::OutputFile(std::filesystem::path path, Existing existing, Readers readers)
    : path_(std::move(path)),
      existing_(existing),
      mode_(readers == Readers::kOwner ? kOwnerOnly : kAnybody) {
  buffer_.reserve(kBufferSize);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      existing_(other.existing_),
      mode_(other.mode_),
      fd_(std::exchange(other.fd_, -1)),
      temporary_(std::exchange(other.temporary_, {})),
      buffer_(std::move(other.buffer_)),
      written_(other.written_),
      sync_begun_(other.sync_begun_) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
  if (fd_ >= 0) close(fd_);
}

Result<OutputFile> OutputFile::Create(const std::filesystem::path& path, Existing existing,
                                      Naming naming, Readers readers) {
  OutputFile file(path, existing, readers);
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0) {
    if (existing == Existing::kKeep) return Fail(file.AlreadyExists());
    KTSTR_TRY(CheckReplaceable(path));
  } else if (errno != ENOENT) {
    return Fail(file.Failed("cannot be created", errno));
  }
  RemoveLeftovers(DirectoryOf(path));
  bool anonymous = naming == Naming::kAnonymousIfPossible;
  if (anonymous) KTSTR_TRY(file.OpenAnonymous(anonymous));
  if (!anonymous) KTSTR_TRY(file.OpenTemporary());
  return file;
}

Status OutputFile::OpenAnonymous(bool& possible) {
  fd_ = open(DirectoryOf(path_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode_);
  const bool unsupported = fd_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL);
  if (fd_ < 0 && !unsupported) return Fail(Failed("cannot be created", errno));
  // Giving it a name later needs /proc.
  possible = fd_ >= 0 && access(DescriptorPath(fd_).c_str(), F_OK) == 0;
  if (!possible && fd_ >= 0) close(std::exchange(fd_, -1));
  if (possible) MarkAsInTheMaking(fd_);
  return {};
}

Status OutputFile::OpenTemporary() {
  std::filesystem::path name = NameInTheMaking(path_);
  fd_ = KTSTR_TRY(OpenInTheMaking(name, path_, mode_));
  temporary_ = std::move(name);
  return {};
}

Status OutputFile::Append(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > kBufferSize) KTSTR_TRY(Flush());
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return {};
}

Status OutputFile::WriteAt(uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return Fail(Failed("cannot be written", errno));
    bytes = bytes.subspan(static_cast<size_t>(done));
    offset += static_cast<uint64_t>(done);
    written_ = std::max(written_, offset);
  }
  if (written_ - sync_begun_ >= kSyncStep) {
    sync_file_range(fd_, static_cast<off_t>(sync_begun_),
                    static_cast<off_t>(written_ - sync_begun_), SYNC_FILE_RANGE_WRITE);
    sync_begun_ = written_;
  }
  return {};
}

Status OutputFile::ExtendTo(uint64_t size) {
  if (size <= written_) return {};
  if (ftruncate(fd_, static_cast<off_t>(size)) != 0) {
    return Fail(Failed("cannot be written", errno));
  }
  written_ = size;
  return {};
}

Status OutputFile::Flush() {
  std::span<const std::byte> left = buffer_;
  while (!left.empty()) {
    const ssize_t done = write(fd_, left.data(), left.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return Fail(Failed("cannot be written", errno));
    left = left.subspan(static_cast<size_t>(done));
    written_ += static_cast<uint64_t>(done);
    if (left.empty()) buffer_.clear();
  }
  if (written_ - sync_begun_ >= kSyncStep) {
    // Only a hint: whether it worked is seen by fsync.
    sync_file_range(fd_, static_cast<off_t>(sync_begun_),
                    static_cast<off_t>(written_ - sync_begun_), SYNC_FILE_RANGE_WRITE);
    sync_begun_ = written_;
  }
  return {};
}

Status OutputFile::Sync() {
  KTSTR_TRY(Flush());
  if (fsync(fd_) != 0) return Fail(Failed("cannot be written to the disk", errno));
  return {};
}

Result<std::filesystem::path> OutputFile::Readable() {
  KTSTR_TRY(Flush());
  return std::filesystem::path(fmt::format("/proc/{}/fd/{}", getpid(), fd_));
}

Status OutputFile::Publish() {
  KTSTR_TRY(Sync());
  if (temporary_.empty()) {
    Status linked = LinkAnonymous(path_);
    const bool replace =
        !linked && linked.error().code() == ErrorCode::kExists && existing_ == Existing::kReplace;
    if (!linked && !replace) return linked;
    if (replace) {
      // A link cannot replace a name; a rename can.
      std::filesystem::path name = NameInTheMaking(path_);
      KTSTR_TRY(LinkAnonymous(name));
      temporary_ = std::move(name);
    }
  }
  if (!temporary_.empty()) KTSTR_TRY(RenameTemporary());
  const int directory = open(DirectoryOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // The file itself is safe by now; a directory that cannot be synced (as on some network file
  // systems) is no reason to call it lost.
  if (directory >= 0) {
    fsync(directory);
    close(directory);
  }
  return {};
}

Status OutputFile::LinkAnonymous(const std::filesystem::path& name) {
  if (linkat(AT_FDCWD, DescriptorPath(fd_).c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) ==
      0) {
    return {};
  }
  if (errno == EEXIST) return Fail(AlreadyExists());
  return Fail(Failed("cannot be given its name", errno));
}

Status OutputFile::RenameTemporary() {
  const char* const from = temporary_.c_str();
  const char* const to = path_.c_str();
  int failed = 0;
  if (existing_ == Existing::kReplace) {
    failed = rename(from, to);
  } else {
    failed = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    // File systems that do not know the flag know links, which never replace either.
    if (failed != 0 && (errno == EINVAL || errno == ENOSYS)) {
      failed = link(from, to);
      if (failed == 0) unlink(from);
    }
  }
  if (failed != 0) {
    if (errno == EEXIST) return Fail(AlreadyExists());
    return Fail(Failed("cannot be given its name", errno));
  }
  temporary_.clear();
  return {};
}

Error OutputFile::Failed(const char* doing, int error_number) const {
  return Error(ErrorCode::kIo,
               fmt::format("{} {}: {}", path_.native(), doing, std::strerror(error_number)));
}

Error OutputFile::AlreadyExists() const { return ExistsAlready(path_.native()); }

}  // namespace ktstr

#include "capture/qemu/handed_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "capture/qemu/json_access.h"
#include "capture/system/system_error.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

namespace {

// How descriptors that we hand to QEMU are called there; the number of our process follows.
constexpr std::string_view kMark = "ktstr:";

// Whether nobody uses a descriptor of that name any more: its process is this one, `owner`, or
// gone.
bool IsLeftOver(const std::string& opaque, pid_t owner) {
  if (!opaque.starts_with(kMark)) return false;
  const auto pid = pid_t(std::strtol(opaque.c_str() + kMark.size(), nullptr, 10));
  return pid == getpid() || pid == owner || (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH);
}

// Whether the process sees ours in its /proc, as far as can be told.
bool SeesUs(pid_t pid) {
  std::error_code failed;
  const auto its = std::filesystem::read_symlink(fmt::format("/proc/{}/ns/pid", pid), failed);
  if (failed) return true;
  const auto ours = std::filesystem::read_symlink("/proc/self/ns/pid", failed);
  return failed || its == ours;
}

// All of `from`, or nothing.
void CopyWhole(int from, int to) {
  std::array<char, 65536> buffer;
  off_t at = 0;
  for (ssize_t n; (n = pread(from, buffer.data(), buffer.size(), at)) != 0; at += n) {
    if (n > 0 && pwrite(to, buffer.data(), size_t(n), at) == n) continue;
    std::ignore = ftruncate(to, 0);
    return;
  }
}

}  // namespace

Result<HandedFile> HandedFile::GiveInItsRoot(QmpClient& qmp, int fd, pid_t pid) {
  const std::string root = fmt::format("/proc/{}/root", pid);
  std::string place = root + "/tmp/ktstr-XXXXXX";
  const UniqueFd file(mkostemp(place.data(), O_CLOEXEC));
  struct stat process;
  const bool its = file.valid() && stat(fmt::format("/proc/{}", pid).c_str(), &process) == 0 &&
                   fchown(file.get(), process.st_uid, process.st_gid) == 0;
  if (!its) {
    Status failed =
        FailErrno(fmt::format("making a file in the /tmp of {}, which does not see "
                              "this process and is not reached by a Unix socket",
                              qmp.name()));
    if (file.valid()) unlink(place.c_str());
    return Fail(std::move(failed).error());
  }
  const std::string path = place.substr(root.size());
  HandedFile handed(qmp, std::nullopt, path, path);
  handed.copy_to_ = fd;
  handed.its_place_ = std::move(place);
  return handed;
}

Result<HandedFile> HandedFile::Give(QmpClient& qmp, int fd) {
  if (!qmp.passes_files()) {
    if (const auto pid = qmp.PeerPid(); pid && !SeesUs(*pid)) return GiveInItsRoot(qmp, fd, *pid);
    const std::string path = fmt::format("/proc/{}/fd/{}", getpid(), fd);
    return HandedFile(qmp, std::nullopt, path, path);
  }
  const auto added = KTSTR_TRY(
      qmp.Execute("add-fd", {{"opaque", fmt::format("{}{}", kMark, getpid())}}, {.fds = {fd}}));
  const auto id = IntegerMember(added, "fdset-id"), number = IntegerMember(added, "fd");
  if (!id || !number) {
    return Fail(ErrorCode::kPeer, qmp.name() + " took a file and gave no number for it");
  }
  return HandedFile(qmp, *id, fmt::format("/dev/fdset/{}", *id),
                    fmt::format("/proc/self/fd/{}", *number));
}

HandedFile::HandedFile(HandedFile&& other) noexcept
    : qmp_(other.qmp_),
      id_(std::exchange(other.id_, std::nullopt)),
      path_(std::move(other.path_)),
      plain_path_(std::move(other.plain_path_)),
      copy_to_(std::exchange(other.copy_to_, -1)),
      its_place_(std::move(other.its_place_)) {}

HandedFile::~HandedFile() {
  if (id_) std::ignore = qmp_.Execute("remove-fd", {{"fdset-id", *id_}});
  if (copy_to_ < 0) return;
  const UniqueFd file(open(its_place_.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.valid()) CopyWhole(file.get(), copy_to_);
  unlink(its_place_.c_str());
}

void RemoveHandedFiles(QmpClient& qmp, pid_t owner) {
  if (!qmp.passes_files()) return;
  const auto sets = qmp.Execute("query-fdsets");
  if (!sets) return;
  for (const auto& set : *sets) {
    const auto* fds = JsonMember(set, "fds");
    const auto id = IntegerMember(set, "fdset-id");
    if (!id || fds == nullptr || !fds->is_array() || fds->empty()) continue;
    const bool ours = std::ranges::all_of(
        *fds, [&](const auto& fd) { return IsLeftOver(StringMember(fd, "opaque"), owner); });
    if (ours) std::ignore = qmp.Execute("remove-fd", {{"fdset-id", *id}});
  }
}

}  // namespace ktstr

#include "capture/qemu/handed_file.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "capture/qemu/json_access.h"

namespace ktstr {

namespace {

// How descriptors that we hand to QEMU are called there; the number of our process follows.
constexpr std::string_view kMark = "ktstr:";

// Whether nobody uses a descriptor of that name any more: its process is this one, or is gone.
bool IsLeftOver(const std::string& opaque) {
  if (!opaque.starts_with(kMark)) return false;
  const auto pid = pid_t(std::strtol(opaque.c_str() + kMark.size(), nullptr, 10));
  return pid == getpid() || (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH);
}

}  // namespace

Result<HandedFile> HandedFile::Give(QmpClient& qmp, int fd) {
  if (!qmp.passes_files()) {
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
      plain_path_(std::move(other.plain_path_)) {}

HandedFile::~HandedFile() {
  if (id_) std::ignore = qmp_.Execute("remove-fd", {{"fdset-id", *id_}});
}

void RemoveHandedFiles(QmpClient& qmp) {
  if (!qmp.passes_files()) return;
  const auto sets = qmp.Execute("query-fdsets");
  if (!sets) return;
  for (const auto& set : *sets) {
    const auto* fds = JsonMember(set, "fds");
    const auto id = IntegerMember(set, "fdset-id");
    if (!id || fds == nullptr || !fds->is_array() || fds->empty()) continue;
    const bool ours = std::ranges::all_of(
        *fds, [](const auto& fd) { return IsLeftOver(StringMember(fd, "opaque")); });
    if (ours) std::ignore = qmp.Execute("remove-fd", {{"fdset-id", *id}});
  }
}

}  // namespace ktstr

#include "capture/qemu/device_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "capture/qemu/json_access.h"
#include "capture/system/memory_file.h"
#include "capture/system/system_error.h"

namespace ktstr {

namespace {

// How descriptors that we hand to QEMU are called there; the number of our process follows.
constexpr std::string_view kMark = "ktstr-device-state:";

// A descriptor that QEMU knows by a number, until this goes.
class FdSet {
 public:
  static Result<FdSet> Add(QmpClient& qmp, int fd) {
    const auto added = KTSTR_TRY(
        qmp.Execute("add-fd", {{"opaque", fmt::format("{}{}", kMark, getpid())}}, {.fds = {fd}}));
    const auto id = IntegerMember(added, "fdset-id");
    if (!id) return Fail(ErrorCode::kPeer, qmp.name() + " took a file and gave no number for it");
    return FdSet(qmp, *id);
  }
  FdSet(FdSet&& other) noexcept : qmp_(other.qmp_), id_(std::exchange(other.id_, std::nullopt)) {}
  ~FdSet() {
    if (id_) std::ignore = qmp_.Execute("remove-fd", {{"fdset-id", *id_}});
  }

  std::string path() const { return fmt::format("/dev/fdset/{}", *id_); }

 private:
  FdSet(QmpClient& qmp, int64_t id) : qmp_(qmp), id_(id) {}

  QmpClient& qmp_;
  std::optional<int64_t> id_;
};

// Whether nobody uses a descriptor of that name any more: its process is this one, or is gone.
bool IsLeftOver(const std::string& opaque) {
  if (!opaque.starts_with(kMark)) return false;
  const auto pid = pid_t(std::strtol(opaque.c_str() + kMark.size(), nullptr, 10));
  return pid == getpid() || (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH);
}

// A QEMU older than 9.1 closes no descriptor while the guest stands still, and none later by
// itself.
void RemoveLeftOvers(QmpClient& qmp) {
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

}  // namespace

Result<std::shared_ptr<const std::vector<std::byte>>> SaveDeviceState(Frozen& frozen) {
  if (frozen.saved_device_state() != nullptr) return frozen.saved_device_state();
  QmpClient& qmp = frozen.qmp();
  const UniqueFd file = KTSTR_TRY(MakeMemoryFile("device-state"));
  // QEMU picks a descriptor that is open for just what it wants to do.
  const UniqueFd for_writing(open(PathOfFd(file.get()).c_str(), O_WRONLY | O_CLOEXEC));
  if (!for_writing.valid()) return FailErrno("opening a memory file for the device state");
  frozen.OnResume([&qmp] { RemoveLeftOvers(qmp); });
  {
    const FdSet set = KTSTR_TRY(FdSet::Add(qmp, for_writing.get()));
    // "live" would have QEMU give up its disk images.
    KTSTR_TRY(qmp.Execute("xen-save-devices-state", {{"filename", set.path()}, {"live", false}}));
  }
  const off_t size = lseek(file.get(), 0, SEEK_END);
  if (size <= 0) return Fail(ErrorCode::kPeer, qmp.name() + " wrote no device state");
  auto bytes = KTSTR_TRY(ReadFirst(file.get(), size));
  frozen.saved_device_state() = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return frozen.saved_device_state();
}

}  // namespace ktstr

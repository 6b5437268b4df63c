#include "capture/qemu/device_state.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "capture/qemu/json_access.h"
#include "capture/system/memory_file.h"
#include "capture/system/system_error.h"

namespace ktstr {

namespace {

using nlohmann::json;

constexpr off_t kStreamLimit = off_t{512} << 20;
constexpr std::chrono::seconds kMigrationTimeout(60);
constexpr char kFdName[] = "ktstr-device-state";

// What this needs of QEMU's migration capabilities; what QEMU does not have is left alone, but for
// x-ignore-shared, without which it would write all of RAM.
const std::map<std::string, bool>& WantedCapabilities() {
  static const std::map<std::string, bool> wanted = {
      {"x-ignore-shared", true}, {"events", true},
      {"multifd", false},        {"postcopy-ram", false},
      {"return-path", false},    {"background-snapshot", false},
      {"compress", false},       {"xbzrle", false},
      {"x-colo", false},         {"pause-before-switchover", false},
      {"zero-copy-send", false}, {"mapped-ram", false}};
  return wanted;
}

Status SetCapabilities(QmpClient& qmp, const std::map<std::string, bool>& states) {
  if (states.empty()) return {};
  json list = json::array();
  for (const auto& [name, state] : states) list.push_back({{"capability", name}, {"state", state}});
  KTSTR_TRY(qmp.Execute("migrate-set-capabilities", {{"capabilities", list}}));
  return {};
}

// Sets the capabilities that the migration needs, and puts them back in the end.
class CapabilityGuard {
 public:
  static Result<CapabilityGuard> Set(QmpClient& qmp) {
    const json present = KTSTR_TRY(qmp.Execute("query-migrate-capabilities"));
    std::map<std::string, bool> change, restore;
    bool can_ignore_shared = false;
    for (const json& capability : present) {
      const std::string name = StringMember(capability, "capability");
      const bool state = BoolMember(capability, "state");
      can_ignore_shared |= name == "x-ignore-shared";
      const auto wanted = WantedCapabilities().find(name);
      if (wanted == WantedCapabilities().end() || wanted->second == state) continue;
      change[name] = wanted->second;
      restore[name] = state;
    }
    if (!can_ignore_shared) {
      return Fail(ErrorCode::kPeer,
                  fmt::format("{} (version {}) lacks the migration capability x-ignore-shared",
                              qmp.name(), qmp.qemu_version()));
    }
    KTSTR_TRY(SetCapabilities(qmp, change));
    return CapabilityGuard(qmp, std::move(restore));
  }

  CapabilityGuard(CapabilityGuard&& other) noexcept
      : qmp_(other.qmp_), restore_(std::exchange(other.restore_, {})) {}
  ~CapabilityGuard() { std::ignore = Restore(); }

  Status Restore() { return SetCapabilities(*qmp_, std::exchange(restore_, {})); }

 private:
  CapabilityGuard(QmpClient& qmp, std::map<std::string, bool> restore)
      : qmp_(&qmp), restore_(std::move(restore)) {}

  QmpClient* qmp_;
  std::map<std::string, bool> restore_;
};

// A memory file that refuses to grow beyond the limit.
Result<UniqueFd> MakeBoundedFile() {
  UniqueFd file = KTSTR_TRY(MakeMemoryFile("device-state"));
  if (ftruncate(file.get(), kStreamLimit) != 0 ||
      fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) != 0) {
    return FailErrno("preparing a memory file for the device state");
  }
  return file;
}

Status AwaitMigration(QmpClient& qmp) {
  const Deadline deadline = After(kMigrationTimeout);
  for (;;) {
    const QmpEvent event = KTSTR_TRY(qmp.WaitForEvent("MIGRATION", deadline));
    const std::string status = StringMember(*event.data, "status");
    if (status == "completed") return {};
    if (status != "failed" && status != "cancelled") continue;
    const json details = KTSTR_TRY(qmp.Execute("query-migrate"));
    return Fail(ErrorCode::kPeer,
                fmt::format("{} could not save its device state: migration {} ({})", qmp.name(),
                            status, StringMember(details, "error-desc", "no reason")));
  }
}

// QEMU announces the end of the migration a moment before its run state says so, and refuses to let
// the guest go on in between. No event tells of that second moment.
Status AwaitRunState(QmpClient& qmp) {
  const Deadline deadline = After(kMigrationTimeout);
  while (PollTimeout(deadline) > 0) {
    const json status = KTSTR_TRY(qmp.Execute("query-status"));
    if (StringMember(status, "status") != "finish-migrate") return {};
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return Fail(ErrorCode::kTimeout, qmp.name() + " did not finish saving its device state");
}

Status Migrate(QmpClient& qmp, int fd) {
  qmp.DropEvents("MIGRATION");
  KTSTR_TRY(qmp.Execute("getfd", {{"fdname", kFdName}}, {.fds = {fd}}));
  auto started = qmp.Execute("migrate", {{"uri", std::string("fd:") + kFdName}});
  if (!started) {
    std::ignore = qmp.Execute("closefd", {{"fdname", kFdName}});
    return Fail(std::move(started).error());
  }
  auto done = AwaitMigration(qmp);
  if (!done && done.error().code() == ErrorCode::kTimeout) {
    std::ignore = qmp.Execute("migrate_cancel");
  }
  if (!done) return done;
  return AwaitRunState(qmp);
}

}  // namespace

Result<std::shared_ptr<const std::vector<std::byte>>> SaveDeviceState(Frozen& frozen) {
  if (frozen.saved_device_state() != nullptr) return frozen.saved_device_state();
  QmpClient& qmp = frozen.qmp();
  if (frozen.state_before() == "postmigrate") {
    return Fail(ErrorCode::kPeer,
                fmt::format("{} has saved this guest's state before and will not do it again until "
                            "the guest has run (QMP 'cont')",
                            qmp.name()));
  }
  const UniqueFd file = KTSTR_TRY(MakeBoundedFile());
  auto guard = KTSTR_TRY(CapabilityGuard::Set(qmp));
  KTSTR_TRY(Migrate(qmp, file.get()));
  KTSTR_TRY(guard.Restore());
  // QEMU writes through the same open file, so where it stopped writing is our position too.
  const off_t size = lseek(file.get(), 0, SEEK_CUR);
  if (size <= 0) return Fail(ErrorCode::kPeer, qmp.name() + " wrote no device state");
  auto bytes = KTSTR_TRY(ReadFirst(file.get(), size));
  frozen.saved_device_state() = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return frozen.saved_device_state();
}

}  // namespace ktstr

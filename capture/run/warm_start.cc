#include "capture/run/warm_start.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "capture/capture.h"
#include "capture/qemu/qemu_command.h"
#include "capture/system/memory_file.h"
#include "capture/wake/qemu_choice.h"
#include "capture/wake/wake.h"
#include "libcore/archive/checksum.h"
#include "libcore/archive/reader.h"
#include "libcore/base/cache_directory.h"
#include "libcore/base/private_directory.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

// Some 20 MB each: 1 GB. The tests of a scheduler's development are some ten kinds of machines,
// those of this project some forty.
constexpr size_t kMostWarmStates = 48;
// Descriptors have no part in what a machine is: these stand for all.
constexpr QemuFiles kSomeFiles = {
    .qmp = 3, .port = 4, .ops = 5, .gdb = 6, .initrd = 7, .console = 8};

// Of texts, each with its size, so that what follows cannot be taken for its end.
class TextDigest {
 public:
  void Add(std::string_view text) {
    const uint64_t size = text.size();
    digest_.Add(std::as_bytes(std::span(&size, 1)));
    digest_.Add(std::as_bytes(std::span(text)));
  }
  std::string Hex() const {
    std::string hex;
    for (const std::byte byte : digest_.Get()) hex += fmt::format("{:02x}", uint8_t(byte));
    return hex;
  }

 private:
  archive::DigestStream digest_;
};

void RemoveOldest(const fs::path& directory) {
  std::error_code ignored;
  std::vector<std::pair<fs::file_time_type, fs::path>> states;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".kts") {
      states.emplace_back(entry.last_write_time(ignored), entry.path());
    }
  }
  std::ranges::sort(states);
  for (size_t i = 0; i + kMostWarmStates < states.size(); ++i)
    fs::remove(states[i].second, ignored);
}

}  // namespace

Result<WarmStates> WarmStates::Of(const BootPlan& plan) {
  const std::string cache = UserCacheDirectory();
  const MachineOptions& machine = plan.options;
  WarmStates states;
  if (cache.empty() || machine.accelerator == Accelerator::kKvm ||
      !machine.extra_arguments.empty() || !machine.qmp_socket.empty()) {
    return states;
  }
  TextDigest digest;
  digest.Add(KTSTR_VERSION);
  digest.Add(KTSTR_TRY(VersionOfQemu({machine.qemu})));
  digest.Add(KTSTR_TRY(ReadTextFile(machine.kernel)));
  digest.Add(KTSTR_TRY(ReadTextFile(PathOfFd(plan.initramfs.get()))));
  for (const std::string& word : QemuCommand(machine, kSomeFiles)) digest.Add(word);
  states.directory_ = fs::path(cache) / "warm";
  states.digest_ = digest.Hex();
  return states;
}

fs::path WarmStates::After(const std::string& done) const {
  if (directory_.empty()) return fs::path();
  TextDigest digest;
  digest.Add(digest_);
  digest.Add(done);
  return directory_ / (digest.Hex() + ".kts");
}

Result<std::unique_ptr<GuestMachine>> WakeGuest(const fs::path& archive, const fs::path& console) {
  const auto reader = KTSTR_TRY(ArchiveReader::Open(archive));
  WokenMachine woken = KTSTR_TRY(WakeMachine(
      *reader, {.console_log = console, .ports = WakingPorts::kOurs, .gdb_stub = true}));
  if (!woken.has_init) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("'{}' is no guest of ktstr-run or 'ktstr-capture boot': there is no "
                            "init of ours in it that could be asked",
                            archive.string()));
  }
  return GuestMachine::Adopt(std::move(woken.qemu), woken.accelerator, GuestMachine::Init::kOurs,
                             reader->metadata().kernel_release, GuestMachine::Timeouts());
}

Result<std::unique_ptr<GuestMachine>> WakeWarmState(const fs::path& state,
                                                    const fs::path& console) {
  std::error_code ignored;
  if (state.empty() || !fs::exists(state, ignored)) return std::unique_ptr<GuestMachine>();
  auto woken = WakeGuest(state, console);
  if (woken) {
    fs::last_write_time(state, fs::file_time_type::clock::now(), ignored);
  } else {
    fs::remove(state, ignored);
  }
  return woken;
}

Status KeepWarmState(GuestMachine& machine, const fs::path& file,
                     const std::vector<PlantedByte>& planted) {
  KTSTR_TRY(MakePrivateDirectories(file.parent_path()));
  CaptureOptions options;
  options.output = file;
  options.overwrite = true;  // another test may just have kept the same
  options.captured_by = "ktstr-run";
  options.trigger = "warm";
  options.planted = planted;
  options.pid = machine.qemu().pid();
  KTSTR_TRY(Capture(machine.qmp(), options));
  RemoveOldest(file.parent_path());
  return {};
}

}  // namespace ktstr

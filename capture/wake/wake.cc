#include "capture/wake/wake.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "libcore/qemu/device_sections.h"
#include "capture/qemu/json_access.h"
#include "capture/qemu/machine_facts.h"
#include "capture/qemu/ram_map.h"
#include "capture/system/system_error.h"
#include "capture/wake/fill_memory.h"
#include "capture/wake/incoming_stream.h"
#include "capture/wake/qemu_choice.h"

namespace ktstr {

namespace {

using std::chrono::seconds;

constexpr seconds kLoadTimeout(60);

Error Lacks(const ArchiveReader& archive, const std::string& what) {
  return Error(ErrorCode::kUnsupported,
               fmt::format("'{}' cannot be woken: {}", archive.path(), what));
}

Status CheckPages(const ArchiveReader& archive) {
  uint64_t left_out = 0, damaged = 0;
  for (const PageCount& count : archive.CountPages()) {
    if (count.fate == PageFate::kNotCaptured) left_out += count.pages;
    if (count.fate == PageFate::kDamaged) damaged += count.pages;
  }
  if (left_out > 0) {
    return Fail(Lacks(archive, fmt::format("{} pages of its memory were left out{}; capture the "
                                           "machine with --keep all",
                                           left_out,
                                           archive.metadata().kept == "kernel"
                                               ? " (--keep kernel), those of programs among them"
                                               : "")));
  }
  if (damaged > 0) {
    return Fail(Lacks(archive, fmt::format("{} pages of its memory could not be read when it was "
                                           "written",
                                           damaged)));
  }
  return {};
}

// Devices of KVM's that QEMU's TCG has not, by the names of their sections.
Status CheckAcceleratorDevices(const ArchiveReader& archive, std::span<const std::byte> state,
                               const std::string& accelerator) {
  if (archive.metadata().accelerator != "kvm" || accelerator != "tcg") return {};
  const auto sections = KTSTR_TRY(SplitDeviceState(state));
  for (const DeviceSection& section : sections) {
    if (section.name == "kvmclock" || section.name == "kvm-tpr-opt") {
      return Fail(Lacks(archive, fmt::format("it ran on KVM and uses KVM's '{}', which TCG has "
                                             "not: wake it on a machine with KVM",
                                             section.name)));
    }
  }
  return {};
}

// PCOMMIT (CPUID 7.0.EBX bit 22) was taken back before any processor had it: kernels know it not,
// and neither does QEMU from 8.0 on.
constexpr std::string_view kWordOfPcommit = "7.0.ebx";
constexpr uint32_t kPcommit = 1U << 22;

// Words with bits that a CPU lacks, as "CPUID 7.0.ebx bits 0x20".
std::vector<std::string> MissingFeatures(const std::map<std::string, uint32_t>& had,
                                         const std::map<std::string, uint32_t>& has) {
  std::vector<std::string> missing;
  for (const auto& [word, bits] : had) {
    const auto found = has.find(word);
    uint32_t lost = bits & ~(found == has.end() ? 0 : found->second);
    if (word == kWordOfPcommit) lost &= ~kPcommit;
    if (lost != 0) missing.push_back(fmt::format("CPUID {} bits {:#x}", word, lost));
  }
  return missing;
}

std::string_view NameOf(std::string_view accelerator) {
  return accelerator == "kvm" ? "KVM" : "TCG";
}

// A CPU that lacks what the guest has found at boot would fault in the middle of something.
Status CheckCpu(const ArchiveReader& archive, QmpClient& qmp, const std::string& accelerator) {
  const ArchiveMetadata& metadata = archive.metadata();
  const MachineFacts facts = KTSTR_TRY(AskMachineFacts(qmp));
  const auto missing = MissingFeatures(metadata.cpu_features, facts.cpu_features);
  if (missing.empty()) return {};
  return Fail(Lacks(
      archive,
      fmt::format("on {} and {} its CPU had features that this one on {} and QEMU {} lacks: {}. "
                  "Take the QEMU and the accelerator that it ran on; --any-cpu wakes it all the "
                  "same, and what uses these features will fault",
                  NameOf(metadata.accelerator), metadata.vmm_version, NameOf(accelerator),
                  qmp.qemu_version(), fmt::join(missing, ", "))));
}

Status SendAll(int socket, std::span<const std::byte> bytes) {
  const timeval patience = {.tv_sec = kLoadTimeout.count(), .tv_usec = 0};
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    // Why QEMU takes no more, its own words say.
    if (sent <= 0) return Fail(ErrorCode::kPeer, "QEMU takes the device state in part only");
    bytes = bytes.subspan(size_t(sent));
  }
  return {};
}

// Has QEMU take in the stream as a migration, after which it is paused.
Status LoadDevices(QmpClient& qmp, std::span<const std::byte> stream) {
  KTSTR_TRY(qmp.Execute("migrate-set-capabilities",
                        {{"capabilities", {{{"capability", "events"}, {"state", true}}}}}));
  SocketPair pair = KTSTR_TRY(MakeSocketPair());
  KTSTR_TRY(qmp.Execute("getfd", {{"fdname", "ktstr-devices"}}, {.fds = {pair.theirs.get()}}));
  pair.theirs.Close();
  KTSTR_TRY(qmp.Execute("migrate-incoming", {{"uri", "fd:ktstr-devices"}}));
  const Status sent = SendAll(pair.ours.get(), stream);
  if (sent) shutdown(pair.ours.get(), SHUT_WR);
  for (const Deadline deadline = After(kLoadTimeout);;) {
    const QmpEvent event = KTSTR_TRY(qmp.WaitForEvent("MIGRATION", deadline));
    const std::string status = StringMember(*event.data, "status");
    if (status == "completed") return sent;
    if (status == "failed") {
      const auto query = qmp.Execute("query-migrate");
      return Fail(ErrorCode::kPeer,
                  fmt::format("QEMU refuses the device state: {}",
                              query ? StringMember(*query, "error-desc", "no reason") : ""));
    }
  }
}

Status Restore(const ArchiveReader& archive, QemuProcess& qemu, const WakingCommand& command,
               std::span<const std::byte> state) {
  QmpClient& qmp = qemu.qmp();
  RamMap map = KTSTR_TRY(FindRam(qmp, qemu.pid()));
  map.pieces = CloseLowGaps(std::move(map.pieces));
  KTSTR_TRY(CheckRamCovers(map.pieces, archive.regions()));
  const std::vector<RamPiece> filled = map.pieces;
  KTSTR_TRY(FillMemory(archive, std::move(map)));
  KTSTR_TRY(LoadDevices(qmp, KTSTR_TRY(IncomingStream(state, command.machine_type()))));
  // Devices that are taken in move RAM (shadowed firmware): now it is where the archive has it.
  const RamMap now = KTSTR_TRY(FindRam(qmp, qemu.pid()));
  KTSTR_TRY(CheckRamCovers(now.pieces, archive.regions()));
  if (SamePlaces(filled, now.pieces, archive.regions())) return {};
  return Fail(Lacks(archive, "with its devices its RAM lies elsewhere than without them"));
}

std::string AcceleratorFor(const ArchiveMetadata& metadata, Accelerator wanted) {
  if (wanted == Accelerator::kAuto) return metadata.accelerator;
  return wanted == Accelerator::kKvm ? "kvm" : "tcg";
}

Status CheckAccelerator(const ArchiveReader& archive, const std::string& accelerator) {
  if (accelerator != "kvm" || access("/dev/kvm", R_OK | W_OK) == 0) return {};
  const char* reason = std::strerror(errno);
  const bool ran_on_kvm = archive.metadata().accelerator == "kvm";
  return Fail(
      Lacks(archive, fmt::format("/dev/kvm cannot be opened here ({}){}", reason,
                                 ran_on_kvm ? ", and it ran on KVM: try --accel tcg" : "")));
}

}  // namespace

Status CheckWakeable(const ArchiveReader& archive) {
  const ArchiveMetadata& metadata = archive.metadata();
  if (metadata.arch != "x86_64") {
    return Fail(Lacks(archive, fmt::format("it is of the architecture '{}'", metadata.arch)));
  }
  if (metadata.tags.contains("imported")) {
    return Fail(Lacks(archive, "it was imported from a dump, which has no state of devices"));
  }
  if (!metadata.vmm_version.starts_with("QEMU ")) {
    return Fail(Lacks(archive, fmt::format("its VMM was '{}', not QEMU", metadata.vmm_version)));
  }
  if (KTSTR_TRY(archive.ReadDeviceState()).empty()) {
    return Fail(Lacks(archive, "it has no device state"));
  }
  return CheckPages(archive);
}

std::string RemarkOnState(const std::string& run_state) {
  const auto remark = [&](std::string_view what) {
    return fmt::format("when it was frozen (run state '{}') {}", run_state, what);
  };
  if (run_state == "shutdown") {
    return remark("its guest had switched it off or reset it: woken, its CPUs go on behind that");
  }
  if (run_state == "guest-panicked") {
    return remark("its kernel had panicked: woken, it does what it does after a panic");
  }
  if (run_state == "internal-error") {
    return remark("QEMU could not go on with it: woken, it may run into the same again");
  }
  if (run_state == "io-error") {
    return remark("a disk had failed: woken, its guest gets that error, or tries again");
  }
  if (run_state == "watchdog") return remark("a watchdog device had stopped it");
  return "";
}

Result<WokenMachine> WakeMachine(const ArchiveReader& archive, const WakeOptions& options) {
  KTSTR_TRY(CheckWakeable(archive));
  const ArchiveMetadata& metadata = archive.metadata();
  const std::vector<std::byte> state = KTSTR_TRY(archive.ReadDeviceState());
  const std::string accelerator = AcceleratorFor(metadata, options.accelerator);
  KTSTR_TRY(CheckAccelerator(archive, accelerator));
  KTSTR_TRY(CheckAcceleratorDevices(archive, state, accelerator));
  const QemuChoice choice = KTSTR_TRY(ChooseQemu(metadata, options.qemu));
  const auto command = KTSTR_TRY(WakingCommand::Make(metadata, {.accelerator = accelerator,
                                                                .program = choice.program,
                                                                .places = options.places,
                                                                .ports = options.ports,
                                                                .with_disks = options.with_disks}));
  KTSTR_TRY(IncomingStream(state, command.machine_type()));
  WokenMachine woken = {.accelerator = accelerator == "kvm" ? Accelerator::kKvm : Accelerator::kTcg,
                        .version = choice.version,
                        .has_init = command.has_init(),
                        .notes = command.notes()};
  if (std::string remark = RemarkOnState(metadata.run_state); !remark.empty()) {
    woken.notes.push_back(std::move(remark));
  }
  woken.qemu = KTSTR_TRY(
      QemuProcess::Launch({.command = [&](const QemuFiles& files) { return command.Words(files); },
                           .console = options.console_log,
                           .gdb_stub = options.gdb_stub,
                           .outlives_us = options.outlives_us}));
  if (!options.any_cpu) KTSTR_TRY(CheckCpu(archive, woken.qemu->qmp(), accelerator));
  auto restored = Restore(archive, *woken.qemu, command, state);
  if (!restored) {
    Error why = woken.qemu->Explain(std::move(restored).error());
    if (why.code() == ErrorCode::kUnsupported) return Fail(std::move(why));
    return Fail(std::move(why).Wrap(fmt::format("waking '{}'", archive.path())));
  }
  return woken;
}

}  // namespace ktstr

// Wakes a frozen machine: a QEMU of its own with the archive's memory, registers and device state,
// which goes on from where it stood.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "capture/qemu/machine_options.h"
#include "capture/qemu/qemu_process.h"
#include "capture/wake/waking_command.h"
#include "libcore/archive/reader.h"
#include "libcore/base/result.h"

namespace ktstr {

struct WakeOptions {
  std::string qemu;  // the program; empty: one of the version that the machine ran on
  Accelerator accelerator = Accelerator::kAuto;  // kAuto: the one that the machine ran on
  WakingPlaces places;
  std::filesystem::path console_log;  // what the guest writes from now on; empty: in memory
  WakingPorts ports = WakingPorts::kNobody;
  bool gdb_stub = false;     // whether QemuProcess has a connection to QEMU's gdb stub
  bool any_cpu = false;      // whether the CPU may lack features that the guest's had
  bool with_disks = false;   // as they are now, by private copies of what is written
  bool outlives_us = false;  // as QemuLaunch
};

struct WokenMachine {
  std::unique_ptr<QemuProcess> qemu;  // paused: "cont" lets it run
  Accelerator accelerator = Accelerator::kTcg;
  std::string version;             // of QEMU
  bool has_init = false;           // whether our init is in the guest (guest/protocol.h)
  std::vector<std::string> notes;  // what is not as it was, one sentence each
};

// Whether the archive has what waking needs, as far as it can be told without starting a QEMU.
// Errors: kUnsupported with what it lacks and what to do.
Status CheckWakeable(const ArchiveReader& archive);

// What to say of a machine that stood in this run state (ArchiveMetadata::run_state) when it is
// woken, one sentence; empty where it ran, or was merely paused.
std::string RemarkOnState(const std::string& run_state);

// Any number at once from one archive: each has memory of its own. The machine is paused at the
// instruction at which it was frozen. Errors: those of CheckWakeable, ChooseQemu and
// WakingCommand::Make before QEMU starts; kUnsupported when RAM or the CPU's features are not those
// that the guest knows; kPeer with what QEMU said when it refuses the device state; kDamaged, kIo,
// kTimeout.
Result<WokenMachine> WakeMachine(const ArchiveReader& archive, const WakeOptions& options);

}  // namespace ktstr

// Machines that are warmed up: ktstr-run keeps each kind of machine that it boots, frozen in the
// moment in which its init answers and again when its scheduler is enabled, and wakes it the next
// time. On TCG booting and the verifier are most of a short test.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "capture/boot/guest_machine.h"
#include "capture/live_memory.h"
#include "libcore/base/result.h"

namespace ktstr {

// The files in the user's cache directory for machines of a plan. Their names are a digest of all
// that makes the machine: the bytes of kernel and initramfs, QEMU's command line and version, and
// the version of this program. Empty when such a machine is not kept: on KVM, which boots quickly;
// with arguments to QEMU that only the caller knows; without a cache directory. Errors: kIo.
class WarmStates {
 public:
  static Result<WarmStates> Of(const BootPlan& plan);

  // Of the machine that has just booted, and of one to which these words say what was done since.
  std::filesystem::path Booted() const { return After(""); }
  std::filesystem::path After(const std::string& done) const;

 private:
  std::filesystem::path directory_;  // empty: none are kept
  std::string digest_;
};

// The machine in that file, paused; `console` is where its serial console goes from now on. Errors:
// as ArchiveReader::Open (kNotFound: none was kept yet) and WakeMachine; kUnsupported for a machine
// without our init.
Result<std::unique_ptr<GuestMachine>> WakeGuest(const std::filesystem::path& archive,
                                                const std::filesystem::path& console);

// The warm state in that file, woken; null when there is none. One that cannot be woken is removed.
// Errors: as WakeGuest, when it could not be.
Result<std::unique_ptr<GuestMachine>> WakeWarmState(const std::filesystem::path& state,
                                                    const std::filesystem::path& console);

// Keeps a machine as it is now, and removes those that were not used for longest when there are
// many. The machine goes on. `planted` are breakpoints in its text, which are not kept. Errors: as
// Capture.
Status KeepWarmState(GuestMachine& machine, const std::filesystem::path& file,
                     const std::vector<PlantedByte>& planted = {});

}  // namespace ktstr

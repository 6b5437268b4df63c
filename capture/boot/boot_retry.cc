#include "capture/boot/boot_retry.h"

#include <signal.h>
#include <sys/wait.h>

namespace ktstr {

// Linux patches its running code through breakpoints. QEMU's multi-threaded TCG (seen in 7.2, about
// one boot in fifty) now and then lets a vCPU run into one after it is gone, of which the kernel
// dies before anything of ours has run.
bool ShowsStaleBreakpoint(std::string_view console) {
  return console.find("int3: 0000 [#1]") != std::string_view::npos;
}

std::optional<std::string_view> WhyBootAgain(const FailedBoot& boot) {
  if (boot.attempt >= kBootAttempts || boot.accelerator != Accelerator::kTcg) return std::nullopt;
  if (ShowsStaleBreakpoint(boot.console)) {
    return "the guest's kernel died of a fault of TCG's (a stale breakpoint)";
  }
  // One of QEMU's own checks, such as (7.2, seen once) that of msix_table_mmio_write's access while
  // the guest sets its devices up.
  if (boot.qemu_status && WIFSIGNALED(*boot.qemu_status) &&
      WTERMSIG(*boot.qemu_status) == SIGABRT) {
    return "QEMU aborted";
  }
  // Seen once in some three hundred boots of 7.3, on a busy host. That one wait tells nothing; a
  // kernel that never comes up is not waited for three times.
  if (boot.timed_out && boot.attempt == 1) return "nothing was heard of the guest's init in time";
  return std::nullopt;
}

}  // namespace ktstr

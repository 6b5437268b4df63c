// An init for guests of tests that begins another kernel, and is that kernel's init as well. What
// it does stands behind "--" on the kernel's command line:
//
//   crash      loads /kernel as crash kernel, and has this kernel panic on its last CPU while a
//              program, "spins-on", runs on CPU 0
//   plain      loads /kernel, and has it take this one's place
//   (nothing)  says on the console that it is there, and stays
//
// The next kernel has /next as its initramfs, which begins this program with nothing.
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "first_process.h"

namespace {

constexpr char kCommandLine[] =
    "console=ttyS0 tsc_early_khz=2000000 panic=0 nr_cpus=1 reset_devices";

void Load(unsigned long flags) {
  const int kernel = open("/kernel", O_RDONLY), initramfs = open("/next", O_RDONLY);
  // The length of the command line counts its NUL.
  if (kernel < 0 || initramfs < 0 ||
      syscall(SYS_kexec_file_load, kernel, initramfs, sizeof kCommandLine, kCommandLine, flags) !=
          0) {
    Fail("loading the next kernel");
  }
}

void RunOn(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) Fail("sched_setaffinity");
}

// Returns when a process of that name spins on CPU 0.
void StartSpinner() {
  int ready[2];
  if (pipe(ready) != 0) Fail("pipe");
  if (fork() == 0) {
    prctl(PR_SET_NAME, "spins-on");
    RunOn(0);
    if (write(ready[1], "x", 1) != 1) Fail("write");
    for (volatile unsigned long rounds = 0;;) rounds = rounds + 1;
  }
  char byte;
  if (read(ready[0], &byte, 1) != 1) Fail("read");
}

void Panic() {
  RunOn(static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) - 1);
  const int trigger = open("/proc/sysrq-trigger", O_WRONLY);
  if (trigger < 0 || write(trigger, "c", 1) != 1) Fail("/proc/sysrq-trigger");
}

}  // namespace

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  OpenConsole();
  if (strcmp(what, "crash") == 0) {
    Load(KEXEC_FILE_ON_CRASH);
    StartSpinner();
    Panic();
  }
  if (strcmp(what, "plain") == 0) {
    Load(0);
    syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, nullptr);
    Fail("reboot");
  }
  printf("the next kernel is up\n");
  fflush(stdout);
  Stay();
}

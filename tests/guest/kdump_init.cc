// The init of a crash kernel that saves what crashed, as kdump does: /proc/vmcore as it is, and
// what makedumpfile makes of it, into the memory of an ivshmem device, which is a file of the
// host's. At its begin stand offset and size of each (u64), when all is there.
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "first_process.h"

namespace {

constexpr size_t kHead = 4096;

struct Shared {
  char* begin;
  size_t size;
};

// The memory of the PCI device 1af4:1110.
Shared MapDevice() {
  glob_t devices;
  glob("/sys/bus/pci/devices/*", 0, nullptr, &devices);
  for (size_t i = 0; i < devices.gl_pathc; ++i) {
    char path[256], text[16] = {};
    snprintf(path, sizeof path, "%s/device", devices.gl_pathv[i]);
    const int device = open(path, O_RDONLY);
    if (read(device, text, sizeof text - 1) <= 0 || strncmp(text, "0x1110", 6) != 0) continue;
    snprintf(path, sizeof path, "%s/enable", devices.gl_pathv[i]);
    if (write(open(path, O_WRONLY), "1", 1) != 1) Fail("enabling the device");
    snprintf(path, sizeof path, "%s/resource2_wc", devices.gl_pathv[i]);
    const int memory = open(path, O_RDWR);
    struct stat status;
    if (fstat(memory, &status) != 0) Fail(path);
    void* mapped = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ | PROT_WRITE,
                        MAP_SHARED, memory, 0);
    if (mapped == MAP_FAILED) Fail("mapping the device");
    return {static_cast<char*>(mapped), static_cast<size_t>(status.st_size)};
  }
  Fail("there is no such device");
}

// Copies all that can be read of `fd` to `at`; how much that was.
uint64_t Copy(int fd, const Shared& shared, uint64_t at) {
  static char buffer[1 << 20];
  uint64_t size = 0;
  for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) != 0;) {
    if (got < 0 || at + size + static_cast<uint64_t>(got) > shared.size) Fail("copying");
    memcpy(shared.begin + at + size, buffer, static_cast<size_t>(got));
    size += static_cast<uint64_t>(got);
  }
  return size;
}

// makedumpfile's output through a pipe, flattened.
uint64_t CopyDump(const char* how, const Shared& shared, uint64_t at) {
  int ends[2];
  if (pipe(ends) != 0) Fail("pipe");
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    close(ends[0]);
    // Without zero and free pages. Debian 12's takes slab pages of Linux 6.12 for user data: 31,
    // which filters these as well, loses tasks.
    execl("/usr/bin/makedumpfile", "makedumpfile", how, "-d", "17", "-F", "/proc/vmcore", nullptr);
    Fail("makedumpfile");
  }
  close(ends[1]);
  const uint64_t size = Copy(ends[0], shared, at);
  int status;
  if (waitpid(child, &status, 0) != child || status != 0) Fail("makedumpfile ended badly");
  close(ends[0]);
  return size;
}

}  // namespace

int main() {
  OpenConsole();
  const Shared shared = MapDevice();
  uint64_t head[6] = {};
  uint64_t at = kHead;
  const auto note = [&](int which, uint64_t size) {
    head[2 * which] = at;
    head[2 * which + 1] = size;
    at += (size + kHead - 1) / kHead * kHead;
  };
  const int vmcore = open("/proc/vmcore", O_RDONLY);
  if (vmcore < 0) Fail("/proc/vmcore");
  note(0, Copy(vmcore, shared, at));
  note(1, CopyDump("-c", shared, at));
  note(2, CopyDump("-E", shared, at));
  memcpy(shared.begin, head, sizeof head);
  printf("the dump is written\n");
  fflush(stdout);
  Stay();
}

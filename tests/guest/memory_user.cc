// A program for guests of tests: uses memory in every way that user space can, and tells what the
// guest's kernel says of its pages.
//
//   memory_user secret  takes memory, keeps a secret there and in a file, and stays behind
//   memory_user hold    takes memory and keeps it: a process stays behind
//   memory_user module FILE   loads a kernel module
//   memory_user print FILE    prints a file
//   memory_user flags   prints /proc/kpageflags as runs: "FLAGS*COUNT …", FLAGS hexadecimal
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "secret.h"

namespace {

constexpr size_t kMiB = size_t{1} << 20;

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "memory_user: %s: %s\n", what, strerror(errno));
  exit(1);
}

// Bytes that repeat from page to page, so that KSM has something to merge.
void Fill(void* memory, size_t size) { memset(memory, 0xa5, size); }

void* Map(size_t size, int flags, int fd = -1) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) return nullptr;
  Fill(memory, size);
  return memory;
}

// A file of that size: written, and mapped.
void HoldFile(const char* path, size_t size) {
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(size)) != 0) Die(path);
  if (Map(size, MAP_SHARED, fd) == nullptr) Die(path);
}

void Write(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY);
  if (fd < 0) return;
  if (write(fd, text, strlen(text)) < 0) fprintf(stderr, "%s: %s\n", path, strerror(errno));
  close(fd);
}

void Hold() {
  mkdir("/ramfs", 0700);
  if (mount("ramfs", "/ramfs", "ramfs", 0, nullptr) != 0) Die("mounting a ramfs");
  HoldFile("/ramfs/file", 8 * kMiB);
  HoldFile("/tmp/file", 4 * kMiB);
  if (Map(4 * kMiB, MAP_SHARED | MAP_ANONYMOUS) == nullptr) Die("shared memory");
  if (Map(16 * kMiB, MAP_PRIVATE | MAP_ANONYMOUS) == nullptr) Die("anonymous memory");
  void* locked = Map(kMiB, MAP_PRIVATE | MAP_ANONYMOUS);
  if (locked == nullptr || mlock(locked, kMiB) != 0) Die("locked memory");
  // What follows not every kernel has.
  Write("/proc/sys/vm/nr_hugepages", "4");
  Map(2 * 2 * kMiB, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);
  Write("/sys/kernel/mm/ksm/run", "1");
  void* mergeable = Map(kMiB, MAP_PRIVATE | MAP_ANONYMOUS);
  if (mergeable != nullptr) madvise(mergeable, kMiB, MADV_MERGEABLE);
}

// 32 bytes that stand nowhere else: not in this program, which makes them at run time, and not in
// what a host could have sent (tests/guest/secret.h).
void Keep(const char* path) {
  constexpr size_t kSize = 64 << 10;
  auto* memory = static_cast<uint8_t*>(Map(kSize, MAP_PRIVATE | MAP_ANONYMOUS));
  if (memory == nullptr) Die("memory for a secret");
  for (size_t at = 0; at < kSize; at += ktstr::kSecretSize) ktstr::MakeSecret(memory + at);
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, kSize) != 0) Die(path);
  void* mapped = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) Die(path);
  memcpy(mapped, memory, kSize);
}

void KeepSecret() { Keep("/tmp/secret"); }

int StayInProcess(void (*hold)()) {
  int ready[2];
  if (pipe(ready) != 0) Die("pipe");
  const pid_t pid = fork();
  if (pid < 0) Die("fork");
  if (pid == 0) {
    setsid();
    hold();
    if (write(ready[1], "x", 1) != 1) Die("write");
    for (;;) pause();
  }
  close(ready[1]);
  char byte;
  return read(ready[0], &byte, 1) == 1 ? 0 : 1;
}

int PrintFlags() {
  const int fd = open("/proc/kpageflags", O_RDONLY);
  if (fd < 0) Die("/proc/kpageflags");
  std::vector<uint64_t> flags;
  std::vector<uint64_t> buffer(8192);
  for (ssize_t n; (n = read(fd, buffer.data(), buffer.size() * 8)) > 0;) {
    flags.insert(flags.end(), buffer.begin(), buffer.begin() + n / 8);
  }
  for (size_t i = 0; i < flags.size();) {
    size_t end = i;
    while (end < flags.size() && flags[end] == flags[i]) ++end;
    printf("%llx*%zu ", static_cast<unsigned long long>(flags[i]), end - i);
    i = end;
  }
  return 0;
}

int LoadModule(const char* path) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0) Die(path);
  return 0;
}

int Print(const char* path) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0) Die(path);
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) fwrite(buffer, 1, size_t(n), stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "module") == 0) return LoadModule(argv[2]);
  if (argc == 3 && strcmp(argv[1], "print") == 0) return Print(argv[2]);
  const char* what = argc == 2 ? argv[1] : "";
  if (strcmp(what, "hold") == 0) return StayInProcess(Hold);
  if (strcmp(what, "secret") == 0) return StayInProcess(KeepSecret);
  if (strcmp(what, "flags") == 0) return PrintFlags();
  fprintf(stderr, "usage: memory_user hold|secret|flags|module FILE|print FILE\n");
  return 2;
}

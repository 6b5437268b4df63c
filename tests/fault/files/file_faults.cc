// A library for LD_PRELOAD that makes calls of a program on regular files fail, or kills the
// program there. KTSTR_FAULT says what:
//
//   CALL:N:WHAT   from the N-th call on (the first is 1) WHAT happens to each
//   CALL   write, sync, name (rename, link), read; any: all of these
//   WHAT   an error's name (ENOSPC, EIO), short (a write writes a few bytes only), kill
//   count:FILE    nothing happens; at the end FILE says how many calls there were, a line a CALL
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace {

enum Call { kWrite, kSync, kName, kRead, kAny, kCalls };
constexpr const char* kNames[kCalls] = {"write", "sync", "name", "read", "any"};
constexpr size_t kShort = 100;  // bytes

struct Fault {
  Call call = kAny;
  long from = 0;  // 0: never
  int error = 0;
  bool is_short = false, kill = false;
  char count_file[4096] = "";
};

std::atomic<long> counts[kCalls];

void Parse(Fault* fault) {
  const char* text = getenv("KTSTR_FAULT");
  if (text == nullptr) return;
  if (strncmp(text, "count:", 6) == 0) {
    snprintf(fault->count_file, sizeof fault->count_file, "%s", text + 6);
    return;
  }
  char call[16], what[16];
  if (sscanf(text, "%15[^:]:%ld:%15s", call, &fault->from, what) != 3) abort();
  for (int i = 0; i < kCalls; ++i) {
    if (strcmp(call, kNames[i]) == 0) fault->call = static_cast<Call>(i);
  }
  fault->is_short = strcmp(what, "short") == 0;
  fault->kill = strcmp(what, "kill") == 0;
  fault->error = strcmp(what, "ENOSPC") == 0 ? ENOSPC : EIO;
}

const Fault& TheFault() {
  static const Fault fault = [] {
    Fault parsed;
    Parse(&parsed);
    return parsed;
  }();
  return fault;
}

__attribute__((destructor)) void WriteCounts() {
  const Fault& fault = TheFault();
  if (fault.count_file[0] == '\0') return;
  FILE* file = fopen(fault.count_file, "we");
  if (file == nullptr) return;
  for (int i = 0; i < kCalls; ++i) fprintf(file, "%s %ld\n", kNames[i], counts[i].load());
  fclose(file);
}

// Whether the fault happens to this call. A kill does not come back.
bool Happens(Call call) {
  const Fault& fault = TheFault();
  const long any = ++counts[kAny], own = ++counts[call];
  if (fault.from == 0) return false;
  const bool happens =
      fault.call == kAny ? any >= fault.from : fault.call == call && own >= fault.from;
  if (happens && fault.kill) kill(getpid(), SIGKILL);
  return happens;
}

// Standard output may be a file, too; what becomes of that is another test's
// (standard_output_test).
bool IsFile(int fd) {
  struct stat status;
  return fd > STDERR_FILENO && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// What a write of `size` bytes may do: -1 with errno set, or so many bytes.
ssize_t Allowed(int fd, size_t size) {
  if (!IsFile(fd) || !Happens(kWrite)) return static_cast<ssize_t>(size);
  if (TheFault().is_short) return static_cast<ssize_t>(std::min(size, kShort));
  errno = TheFault().error;
  return -1;
}

bool Fails(Call call) {
  if (!Happens(call) || TheFault().is_short) return false;
  errno = TheFault().error;
  return true;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t size) {
  static const auto next = Next<ssize_t (*)(int, const void*, size_t)>("write");
  const ssize_t allowed = Allowed(fd, size);
  return allowed < 0 ? -1 : next(fd, bytes, static_cast<size_t>(allowed));
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  static const auto next = Next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  const ssize_t allowed = Allowed(fd, size);
  return allowed < 0 ? -1 : next(fd, bytes, static_cast<size_t>(allowed), offset);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return pwrite64(fd, bytes, size, offset);
}

ssize_t sendfile64(int out, int in, off64_t* offset, size_t size) {
  static const auto next = Next<ssize_t (*)(int, int, off64_t*, size_t)>("sendfile64");
  const ssize_t allowed = Allowed(out, size);
  return allowed < 0 ? -1 : next(out, in, offset, static_cast<size_t>(allowed));
}

ssize_t sendfile(int out, int in, off_t* offset, size_t size) {
  return sendfile64(out, in, offset, size);
}

// Callers have another way where there is none.
ssize_t copy_file_range(int, off64_t*, int, off64_t*, size_t, unsigned) {
  errno = ENOSYS;
  return -1;
}

int fsync(int fd) {
  static const auto next = Next<int (*)(int)>("fsync");
  return IsFile(fd) && Fails(kSync) ? -1 : next(fd);
}

int fdatasync(int fd) {
  static const auto next = Next<int (*)(int)>("fdatasync");
  return IsFile(fd) && Fails(kSync) ? -1 : next(fd);
}

int rename(const char* from, const char* to) {
  static const auto next = Next<int (*)(const char*, const char*)>("rename");
  return Fails(kName) ? -1 : next(from, to);
}

int renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) {
  static const auto next = Next<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  return Fails(kName) ? -1 : next(from_fd, from, to_fd, to, flags);
}

int linkat(int from_fd, const char* from, int to_fd, const char* to, int flags) {
  static const auto next = Next<int (*)(int, const char*, int, const char*, int)>("linkat");
  return Fails(kName) ? -1 : next(from_fd, from, to_fd, to, flags);
}

ssize_t read(int fd, void* bytes, size_t size) {
  static const auto next = Next<ssize_t (*)(int, void*, size_t)>("read");
  return IsFile(fd) && Fails(kRead) ? -1 : next(fd, bytes, size);
}

ssize_t pread64(int fd, void* bytes, size_t size, off64_t offset) {
  static const auto next = Next<ssize_t (*)(int, void*, size_t, off64_t)>("pread64");
  return IsFile(fd) && Fails(kRead) ? -1 : next(fd, bytes, size, offset);
}

ssize_t pread(int fd, void* bytes, size_t size, off_t offset) {
  return pread64(fd, bytes, size, offset);
}

}  // extern "C"

// A program for guests of tests: loads the BPF object that it is given, runs its program once and
// says what it returned (0: all was done) and the time by CLOCK_MONOTONIC, before and after, in ns.
//
//   RETURNED BEFORE AFTER
//
// A process stays behind that holds the maps. Where the kernel refuses the program it prints why.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int PrintWarning(libbpf_print_level level, const char* format, va_list arguments) {
  return level == LIBBPF_WARN ? vprintf(format, arguments) : 0;
}

static long long Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

int main(int argc, char** argv) {
  libbpf_set_print(PrintWarning);
  bpf_object* object = argc == 2 ? bpf_object__open(argv[1]) : nullptr;
  if (object == nullptr) return 2;
  if (bpf_object__load(object) != 0) return 3;
  bpf_test_run_opts run = {};
  run.sz = sizeof run;
  const long long before = Now();
  if (bpf_prog_test_run_opts(bpf_program__fd(bpf_object__next_program(object, nullptr)), &run) !=
      0) {
    return 4;
  }
  printf("%u %lld %lld\n", run.retval, before, Now());
  fflush(stdout);
  const pid_t pid = fork();
  if (pid < 0) return 5;
  if (pid > 0) return 0;
  setsid();
  fclose(stdout);
  for (;;) pause();
}

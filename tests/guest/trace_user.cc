// A program for guests of tests: turns tracing on, in the instance at the top and in another one,
// with a snapshot, a probe, the function tracer and BPF's printk.
//
//   trace_user stopped   traces for a while, stops, and prints what the kernel says that it has:
//                        "=== NAME", then the lines of that file
//   trace_user running   leaves tracing on: a process that writes markers stays behind
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace {

const std::string kTracing = "/sys/kernel/tracing/";

[[noreturn]] void Die(const std::string& what) {
  printf("trace_user: %s: %s\n", what.c_str(), strerror(errno));
  exit(1);
}

void Write(const std::string& file, const std::string& text, bool must = true) {
  const int fd = open((kTracing + file).c_str(), O_WRONLY | O_APPEND);
  const bool written =
      fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written && must) Die(file);
  if (fd >= 0) close(fd);
}

void Print(const std::string& file) {
  printf("=== %s\n", file.c_str());
  const int fd = open((kTracing + file).c_str(), O_RDONLY);
  if (fd < 0) return;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) fwrite(buffer, 1, size_t(n), stdout);
  close(fd);
}

uint64_t Address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

// A BPF program that prints "bpf says 42" (its text is put on its stack, 8 bytes at a time).
void PrintFromBpf() {
  char text[16] = "bpf says %d";
  uint64_t words[2];
  memcpy(words, text, sizeof words);
  bpf_insn code[20];
  size_t n = 0;
  const auto add = [&](uint8_t op, uint8_t dst, uint8_t src, int16_t offset, int32_t value) {
    code[n++] = {op, dst, src, offset, value};
  };
  for (int i = 0; i < 2; ++i) {
    add(BPF_LD | BPF_DW | BPF_IMM, 1, 0, 0, static_cast<int32_t>(words[i]));
    add(0, 0, 0, 0, static_cast<int32_t>(words[i] >> 32));
    add(BPF_STX | BPF_MEM | BPF_DW, 10, 1, static_cast<int16_t>(-16 + 8 * i), 0);
  }
  add(BPF_ALU64 | BPF_MOV | BPF_X, 1, 10, 0, 0);
  add(BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, -16);
  add(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, static_cast<int32_t>(strlen(text)) + 1);
  add(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 42);
  add(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_trace_printk);
  add(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
  add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  bpf_attr attributes = {};
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = Address(code);
  attributes.insn_cnt = static_cast<uint32_t>(n);
  attributes.license = Address("GPL");
  const int program =
      static_cast<int>(syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes));
  if (program < 0) Die("loading a BPF program");
  char packet[64] = {};
  attributes = {};
  attributes.test.prog_fd = static_cast<uint32_t>(program);
  attributes.test.data_in = Address(packet);
  attributes.test.data_size_in = sizeof packet;
  if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attributes, sizeof attributes) != 0) {
    Die("running a BPF program");
  }
  close(program);
}

void Begin() {
  Write("tracing_on", "0");
  mkdir((kTracing + "instances/mine").c_str(), 0700);
  // Sub-buffers of 8 KiB, where the kernel can (6.8).
  Write("instances/mine/buffer_subbuf_size_kb", "8", false);
  Write("instances/mine/trace_clock", "mono");
  Write("instances/mine/events/sched/sched_switch/enable", "1");
  Write("instances/mine/events/raw_syscalls/enable", "1");
  Write("kprobe_events", "p:opened do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring");
  for (const char* event : {"sched/sched_switch", "sched/sched_wakeup", "sched/sched_process_exit",
                            "irq/softirq_raise", "kprobes/opened", "syscalls/sys_enter_nanosleep",
                            "syscalls/sys_enter_clock_nanosleep", "timer/hrtimer_start"}) {
    Write(std::string("events/") + event + "/enable", "1");
  }
  // Functions, where the kernel can trace them.
  Write("set_ftrace_filter", "wake_up_new_task", false);
  Write("current_tracer", "function", false);
  PrintFromBpf();
  Write("tracing_on", "1");
}

// What shows in every kind of event.
void Act(int round) {
  Write("trace_marker", "marker " + std::to_string(round));
  PrintFromBpf();
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  usleep(1000);
  close(open("/proc/uptime", O_RDONLY));
}

int Stopped() {
  Begin();
  for (int round = 0; round < 20; ++round) Act(round);
  Write("snapshot", "1", false);
  for (int round = 20; round < 30; ++round) Act(round);
  // A stack of the kernel's.
  Write("options/stacktrace", "1");
  Write("trace_marker", "with a stack");
  Write("tracing_on", "0");
  Write("options/stacktrace", "0");
  Write("instances/mine/tracing_on", "0");
  for (const char* file :
       {"trace", "instances/mine/trace", "snapshot", "trace_clock",
        "instances/mine/buffer_subbuf_size_kb", "per_cpu/cpu0/stats", "per_cpu/cpu1/stats"}) {
    Print(file);
  }
  return 0;
}

int Running() {
  Begin();
  if (fork() != 0) return 0;
  setsid();
  for (int round = 0;; ++round) Act(round);
}

}  // namespace

int main(int argc, char** argv) {
  const char* what = argc == 2 ? argv[1] : "";
  if (strcmp(what, "stopped") == 0) return Stopped();
  if (strcmp(what, "running") == 0) return Running();
  fprintf(stderr, "usage: trace_user stopped|running\n");
  return 2;
}

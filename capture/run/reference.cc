#include "capture/run/reference.h"

#include <fmt/format.h>

#include "capture/guest/worker_catalog.h"
#include "capture/scenario/trigger_spec.h"

namespace ktstr {

namespace {

constexpr size_t kKindWidth = 16;
constexpr size_t kTextWidth = 80;

constexpr std::string_view kSections =
    R"(A scenario is a TOML file. Durations are strings such as "250ms" or "1.5s". Every section may
be left out.

[run]            description, duration ("2s"), timeout ("2min"), seed (1), keep: all (default) or
                 kernel, which leaves free, page-cache and user pages out of archives
[machine]        kernel: a path, or scx-small (default), scx-distribution, host,
                 debian-VERSION (6.12, 7.3, newest-6, newest-7; 7.3-rt for PREEMPT_RT, 7.3-full
                 for the one that is not for virtual machines only); memory ("512M"); cpus (2),
                 or sockets; cores per socket, threads per core; numa_nodes; cmdline; cpu
                 (QEMU's model); accel (auto, kvm, tcg); kaslr
[scheduler]      object: the name of one of ours (vtime) or the path of a BPF object, with
                 variables = { NAME = VALUE } (the id of a cgroup: { cgroup = "/a" });
                 or loader: a program that loads one, with its arguments (it is called
                 scheduler-loader); of it files and root as below. What comes next waits until
                 the scheduler is enabled
[[cgroup]]       path ("/a/b"), files = { "cpu.weight" = 200 }
[[worker]]       kind, name, count, tasks, seed, the kind's parameters, and how to schedule it:
                 cgroup, cpus ("0-1,3"), policy (other, batch, idle, fifo, rr, ext), priority,
                 nice
[[payload]]      program, name, arguments, env, files = { "/there" = "here" }, and how to
                 schedule it; the libraries that it needs are found by themselves, on this
                 machine or in root, the directory of the system that it was built in;
                 loads_scheduler = true waits for its scheduler as for a loader's
[[phase]]        name, duration, until (a payload's name), start, stop (names of workers and
                 payloads: what no phase starts runs from the beginning), set (variables of the
                 scheduler), signal = { PAYLOAD = "STOP" }, [[phase.write]] path, text
[[trigger]]      on, and what the list below says; fails = false keeps the machine and goes on,
                 at most `most` (10) times
[[expect]]       of a worker: worker, max_gap, min_rounds_per_s (of each task), max_spread (of
                 the tasks' rounds per second: (most - least) / mean); of the machine, frozen at
                 the end: sql, rows ("none" or "some"), message
)";

std::string Wrapped(std::string_view text, size_t indent) {
  std::string out;
  size_t column = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (column > 0 && column + end > kTextWidth) {
      out += "\n" + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += text.substr(0, end);
    column += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string Entry(std::string_view name, const std::string& text) {
  return fmt::format("{:<{}} {}\n", name, kKindWidth, Wrapped(text, kKindWidth + 1));
}

}  // namespace

std::string ScenarioReference() {
  std::string text(kSections);
  text += "\nKinds of workers, with their parameters:\n\n";
  for (const guest::WorkerEntry& entry : guest::kWorkerCatalog) {
    text += Entry(entry.name, std::string(entry.meaning));
  }
  text += "\nTriggers, with what they take (* needed):\n\n";
  for (const TriggerEntry& entry : kTriggerCatalog) {
    text +=
        Entry(entry.name, fmt::format("{}{}{}", entry.always ? "always armed: " : "", entry.meaning,
                                      entry.keys.empty() ? "" : fmt::format(" [{}]", entry.keys)));
  }
  return text;
}

}  // namespace ktstr

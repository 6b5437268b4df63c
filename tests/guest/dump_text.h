// Dumps of sched_ext as text, the kernel's and ours, cut into what can be compared.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ktstr {

struct TaskText {
  int64_t cpu = 0;
  bool running = false;            // marked with "*"
  int64_t since_ms = 0;            // taken out of the first line, where "NOW" stands for it
  std::vector<std::string> lines;  // with its stack
};

struct ParsedDump {
  std::vector<std::string> head;                     // before the CPUs
  std::map<int64_t, std::vector<std::string>> cpus;  // what is said of each, without its tasks
  std::map<int64_t, TaskText> tasks;                 // by pid
  std::map<int64_t, std::vector<int64_t>> order;     // pids of those that wait on each CPU
  std::vector<std::string> ending;                   // tasks of which only the queue still knows
  // By name; the lines as they are, with "COUNT" for the number and the blanks before it.
  std::map<std::string, int64_t> events;
  std::vector<std::string> event_lines;
};

// Empty lines and comments ("# ") are left out.
ParsedDump ParseDump(const std::vector<std::string>& lines);

}  // namespace ktstr

#include "system_walk_guest.h"

#include <cstdio>
#include <sstream>

namespace ktstr {

Result<SystemWalks> WalkSystem(const GuestKernel& kernel) {
  return SystemWalks{KTSTR_TRY(WalkCgroups(kernel)), KTSTR_TRY(WalkSchedDomains(kernel)),
                     KTSTR_TRY(WalkTopology(kernel)), KTSTR_TRY(WalkTimers(kernel)),
                     KTSTR_TRY(WalkWorkItems(kernel))};
}

void ExpectEqual(const SystemWalks& live, const SystemWalks& kept) {
  EXPECT_EQ(live.cgroups.rows, kept.cgroups.rows);
  EXPECT_EQ(live.domains.rows, kept.domains.rows);
  EXPECT_EQ(live.topology.rows, kept.topology.rows);
  EXPECT_EQ(live.timers.rows, kept.timers.rows);
  EXPECT_EQ(live.works.rows, kept.works.rows);
}

void ExpectNoAnomalies(const SystemWalks& walks) {
  ExpectNoAnomalies({&walks.cgroups.anomalies, &walks.domains.anomalies, &walks.topology.anomalies,
                     &walks.timers.anomalies, &walks.works.anomalies});
}

TimerList ParseTimerList(const std::string& text) {
  TimerList list;
  int64_t cpu = 0, clock = 0;
  std::string function;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    long long a = 0, b = 0;
    if (std::sscanf(line.c_str(), "now at %lld nsecs", &a) == 1) list.now_ns = a;
    if (std::sscanf(line.c_str(), "cpu: %lld", &a) == 1) cpu = a;
    if (std::sscanf(line.c_str(), " clock %lld:", &a) == 1) clock = a;
    if (line.starts_with(" #") && line.find('>') != std::string::npos) {
      const size_t begin = line.find(", ") + 2;
      function = line.substr(begin, line.find(',', begin) - begin);
    }
    const bool is_monotonic = clock == 0 || clock == 4;
    if (std::sscanf(line.c_str(), " # expires at %lld-%lld nsecs", &a, &b) == 2 && is_monotonic) {
      list.timers.insert({cpu, function, b});
    }
  }
  return list;
}

}  // namespace ktstr

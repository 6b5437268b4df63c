#include <algorithm>
#include <numeric>
#include <vector>

#include "kinds.h"
#include "random.h"

namespace ktstr::guest {

namespace {

constexpr size_t kLine = 64;  // bytes of a cache line
constexpr int kStepsPerRound = 4096;

// One circle through all lines (Sattolo's shuffle): element i says which line comes after it.
std::vector<uint32_t> Circle(size_t lines, Random& random) {
  std::vector<uint32_t> order(lines), next(lines);
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = lines - 1; i > 0; --i) std::swap(order[i], order[random.Below(int64_t(i))]);
  for (size_t i = 0; i < lines; ++i) next[order[i]] = order[(i + 1) % lines];
  return next;
}

}  // namespace

void RunCachePressure(WorkerGroup& group) {
  struct alignas(kLine) Line {
    uint32_t next;
  };
  const auto bytes = uint64_t(std::max<int64_t>(group.Parameter("kib", 4096), 1)) * 1024;
  Random random(group.Parameter("seed", 0));
  const std::vector<uint32_t> circle = Circle(std::max<size_t>(bytes / kLine, 2), random);
  std::vector<Line> lines(circle.size());
  for (size_t i = 0; i < circle.size(); ++i) lines[i].next = circle[i];
  WorkerTask task(group.accounts);
  task.Begin();
  for (uint32_t at = 0;;) {
    for (int i = 0; i < kStepsPerRound; ++i) at = lines[at].next;
    asm volatile("" : "+r"(at));
    task.Round();
  }
}

}  // namespace ktstr::guest

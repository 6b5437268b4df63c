#include "libcore/walk/system/worker_pools.h"

#include <unordered_set>

#include "libcore/walk/container/xarray.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/row/globals.h"

namespace ktstr {

namespace {
constexpr int64_t kMaxPoolsOfCpu = 64;
}  // namespace

std::vector<Kva> ListWorkerPools(const Walk& walk) {
  std::vector<Kva> pools;
  std::unordered_set<uint64_t> known;
  const auto add = [&](Kva pool) {
    if (known.insert(pool.value()).second) pools.push_back(pool);
  };
  if (const auto index = Globals(walk).Address({"worker_pool_idr"})) {
    for (const XarrayEntry& entry : WalkIdr(walk, *index, "worker_pool_idr")) {
      add(entry.entry);
    }
  }
  const auto each = walk.types.FindEnumerator("NR_STD_WORKER_POOLS");
  const auto size = walk.types.SizeOf("worker_pool");
  // One for each nice value: two. What the guest's types say beyond that is damage.
  if (!each || !size || *each > kMaxPoolsOfCpu) return pools;
  const std::vector<CpuRef> cpus = ListCpus(walk);
  for (const char* variable : {"bh_worker_pools", "cpu_worker_pools"}) {
    if (!walk.kernel.symbol_kva(variable)) continue;
    for (const CpuRef& cpu : cpus) {
      const auto first = walk.kernel.PerCpu(variable, cpu.cpu);
      for (int64_t i = 0; first && i < *each; ++i) add(*first + static_cast<uint64_t>(i) * *size);
    }
  }
  return pools;
}

}  // namespace ktstr

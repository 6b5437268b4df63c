// Scheduling domains: within which CPUs the fair class balances load.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct SchedDomainRow {
  int64_t cpu = 0;
  int64_t level = 0;
  std::optional<std::string> name;
  std::optional<Hex> flags;
  std::optional<std::string> flag_names;
  std::optional<std::string> span;
  std::optional<int64_t> span_weight, groups, group_weight;
  std::optional<int64_t> min_interval_ms, max_interval_ms, balance_interval_ms;
  std::optional<int64_t> imbalance_pct, nr_balance_failed, since_balance_ns;
  std::optional<Hex> sd_kva;

  static const RowTable<SchedDomainRow>& Table();
  friend bool operator==(const SchedDomainRow&, const SchedDomainRow&) = default;
};

// Each CPU's domains, from the smallest to the widest (rq.sd and its parents). A CPU that is alone
// has none. Errors: those of the kernel's types.
Result<Walked<SchedDomainRow>> WalkSchedDomains(const GuestKernel& kernel,
                                                const WalkLimits& limits = {});

}  // namespace ktstr

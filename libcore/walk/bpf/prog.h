// BPF programs and links.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct BpfProgRow {
  int64_t id = 0;
  std::optional<std::string> name, type, tag;
  std::optional<int64_t> run_cnt, run_time_ns, recursion_misses;
  std::optional<int64_t> insn_cnt, jited_bytes, verified_insns, functions, load_time_ns;
  std::optional<int64_t> sleepable;
  std::optional<std::string> attached_to;
  std::optional<Hex> jited_kva, prog_kva;

  static const RowTable<BpfProgRow>& Table();
  friend bool operator==(const BpfProgRow&, const BpfProgRow&) = default;
};

struct BpfLinkRow {
  int64_t id = 0;
  std::optional<std::string> type;
  std::optional<int64_t> prog_id;
  std::optional<Hex> link_kva;

  static const RowTable<BpfLinkRow>& Table();
  friend bool operator==(const BpfLinkRow&, const BpfLinkRow&) = default;
};

// Errors: those of the kernel's types.
Result<Walked<BpfProgRow>> WalkBpfProgs(const GuestKernel& kernel, const WalkLimits& limits = {});
Result<Walked<BpfLinkRow>> WalkBpfLinks(const GuestKernel& kernel, const WalkLimits& limits = {});

}  // namespace ktstr

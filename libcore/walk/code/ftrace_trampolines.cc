#include "libcore/walk/code/ftrace_trampolines.h"

#include <unordered_set>

#include "libcore/walk/row/fields.h"

namespace ktstr {

namespace {
constexpr uint64_t kSaveRegs = 1 << 2;  // FTRACE_OPS_FL_SAVE_REGS, include/linux/ftrace.h
constexpr uint64_t kMaxTrampoline = 1 << 20;

struct FtraceOpsMembers : Fields {
  explicit FtraceOpsMembers(const Walk& walk) : Fields(walk, "ftrace_ops") {}
  MaybeMember next = Maybe("next"), flags = Maybe("flags"), begin = Maybe("trampoline"),
              size = Maybe("trampoline_size");
};

}  // namespace

std::vector<FtraceTrampoline> ListFtraceTrampolines(const Walk& walk) {
  std::vector<FtraceTrampoline> trampolines;
  const auto first = walk.kernel.ReadSymbol<Kva>("ftrace_ops_list");
  const auto end = walk.kernel.symbol_kva("ftrace_list_end");
  if (!first || !end) return trampolines;
  const FtraceOpsMembers m(walk);
  if (!m.next || !m.flags || !m.begin || !m.size) return trampolines;
  std::unordered_set<Kva> seen;
  for (Kva at = *first; at != *end && !at.is_null();) {
    if (seen.size() >= walk.limits.max_nodes || !seen.insert(at).second) {
      walk.anomalies.Add("cycle", at, "ftrace_ops_list");
      break;
    }
    CellReader ops(walk, at, "an ftrace_ops");
    const auto text = ops.Pointer(m.begin);
    const auto bytes = ops.Unsigned(m.size), flag_bits = ops.Unsigned(m.flags);
    const auto behind = ops.Pointer(m.next);
    if (text && bytes && flag_bits && !text->is_null() && *bytes != 0 && *bytes < kMaxTrampoline) {
      const bool regs = (*flag_bits & kSaveRegs) != 0;
      trampolines.push_back(
          {{*text, *text + *bytes},
           walk.kernel.symbol_kva(regs ? "ftrace_regs_caller" : "ftrace_caller").value_or(Kva())});
    }
    if (!behind) break;
    at = *behind;
  }
  return trampolines;
}

}  // namespace ktstr

// A synthetic kernel whose tasks have stacks.
#pragma once

#include <fmt/format.h>

#include "fixtures/synthetic/jit_builder.h"
#include "fixtures/synthetic/stack_builder.h"
#include "libcore/walk/stack/stack.h"
#include "walk_guest.h"

namespace ktstr {

class StackGuest : public WalkGuest {
 public:
  explicit StackGuest(synthetic::OrcStyle style = synthetic::OrcStyle::kWithHeader,
                      const synthetic::KernelOptions& options = {})
      : WalkGuest(options), sched(builder()), stacks(builder(), sched, style) {}

  // Completes stacks, tables and lists; registers can be set behind it.
  void Finish() {
    stacks.Finish();
    sched.Finish();
    finished_ = true;
  }
  std::vector<StackFrameRow> WalkAll() {
    if (!finished_) Finish();
    auto walked = WalkStacks(Open());
    if (!walked) {
      ADD_FAILURE() << walked.error().ToString();
      return {};
    }
    anomalies = std::move(walked->anomalies);
    return std::move(walked->rows);
  }

  synthetic::SchedBuilder sched;
  synthetic::StackBuilder stacks;
  std::vector<AnomalyRow> anomalies;  // of the latest walk

 private:
  bool finished_ = false;
};

// The frames of a thread, innermost first, as symbol+0x…
inline std::vector<std::string> Symbols(const std::vector<StackFrameRow>& rows, int64_t pid) {
  std::vector<std::string> symbols;
  for (const StackFrameRow& row : rows) {
    if (row.pid != pid || row.kind == "end") continue;
    symbols.push_back(row.symbol ? fmt::format("{}+{:#x}", *row.symbol, row.offset.value_or(0))
                                 : ToText(*row.ip));
  }
  return symbols;
}

inline std::vector<std::string> Kinds(const std::vector<StackFrameRow>& rows, int64_t pid) {
  std::vector<std::string> kinds;
  for (const StackFrameRow& row : rows) {
    if (row.pid == pid) kinds.push_back(row.kind);
  }
  return kinds;
}

// The row that closes a thread's stack.
inline StackFrameRow EndOf(const std::vector<StackFrameRow>& rows, int64_t pid) {
  for (const StackFrameRow& row : rows) {
    if (row.pid == pid && row.kind == "end") return row;
  }
  ADD_FAILURE() << "no stack of thread " << pid;
  return {};
}

}  // namespace ktstr

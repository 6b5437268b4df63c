// Stacks of a CPU that stands in the thunks that indirect jumps and returns go through where the
// processor's speculation is held off: at each instruction of theirs that is really executed.
#include <algorithm>
#include <set>

#include "guest_tests.h"
#include "libcore/walk/stack/thunk.h"
#include "stepped_guest.h"

namespace ktstr {
namespace {

using std::chrono::seconds;

struct Mitigation {
  const char* name;
  const char* kernel;
  const char* cpu_model;
  const char* cmdline;
};
void PrintTo(const Mitigation& m, std::ostream* os) { *os << m.name; }

class ThunkGuestTest : public testing::TestWithParam<Mitigation> {
 protected:
  static constexpr int kHitsOfEach = 2;
  static constexpr int kMaxSteps = 16;
  // The workers go through every thunk that they ever use many times in this. That no more come is
  // announced by nothing.
  static constexpr seconds kQuiet{3};

  static bool IsThunk(std::string_view symbol) {
    return IsIndirectThunk(symbol) || IsReturnThunk(symbol);
  }
  void SetUp() override {
    MachineOptions options;
    const std::string kernel = GetParam().kernel;
    options.kernel = kernel.starts_with("6.") ? StockKernel(kernel) : SchedExtKernel(kernel);
    options.cpu_model = GetParam().cpu_model;
    options.kernel_cmdline = GetParam().cmdline;
    auto guest = SteppedGuest::Boot(options);
    ASSERT_OK(guest);
    guest_ = *std::move(guest);
    ASSERT_OK(guest_->machine().StartWorkers(
        {{.kind = "sleep"}, {.kind = "pipe"}, {.kind = "yield"}, {.kind = "threads"}}));
    ASSERT_OK(guest_->gdb().Halt());
    const auto opened = guest_->OpenKernel();
    ASSERT_OK(opened);
    const SymbolTable& symbols = (*opened)->symbols();
    for (size_t i = 0; i < symbols.size(); ++i) {
      const Symbol symbol = symbols.at(i);
      if (IsThunk(symbol.name) && (symbol.type == 't' || symbol.type == 'T')) {
        entries_.insert(Kva(symbol.address));
      }
    }
    ASSERT_FALSE(entries_.empty());
    for (const Kva entry : entries_) ASSERT_OK(guest_->gdb().SetBreakpoint(entry));
  }
  static bool InThunk(const SteppedGuest::Stack& stack) {
    return IsThunk(stack.frames.front().symbol.value_or(""));
  }
  // Goes through a thunk from its first instruction on. Whoever came there is what the way back is
  // to from each of them.
  void StepThrough(const GdbStop& stop);

  std::unique_ptr<SteppedGuest> guest_;
  std::set<Kva> entries_;
  std::map<Kva, int> hits_;
  std::set<Kva> seen_;  // instructions
};

void ThunkGuestTest::StepThrough(const GdbStop& stop) {
  const auto first = guest_->StackOf(stop.cpu);
  ASSERT_OK(first);
  std::string way = first->ToString();
  ASSERT_TRUE(InThunk(*first)) << way;
  ++hits_[first->ip];
  if (hits_[first->ip] == kHitsOfEach) {
    ASSERT_OK(guest_->gdb().RemoveBreakpoint(first->ip));
  }
  SteppedGuest::Stack at = *first;
  for (int step = 0; step < kMaxSteps && InThunk(at); ++step) {
    seen_.insert(at.ip);
    EXPECT_TRUE(at.reason == "user mode" || at.reason == "end of stack") << way;
    ASSERT_EQ(at.frames.size(), first->frames.size()) << way;
    for (size_t i = 1; i < at.frames.size(); ++i) {
      EXPECT_EQ(at.frames[i], first->frames[i]) << way;
    }
    if (HasFailure()) return;
    ASSERT_OK(guest_->gdb().Step(stop.cpu));
    auto next = guest_->StackOf(stop.cpu);
    ASSERT_OK(next);
    at = *std::move(next);
    way += "then " + at.ToString();
  }
  EXPECT_FALSE(InThunk(at)) << way;
  // A return goes to the caller, a jump or call to a function's begin, whose caller that is.
  EXPECT_TRUE(at.ip.value() == first->frames[1].ip->value || at.frames.front().offset == 0) << way;
  if (at.frames.front().offset == 0) {
    EXPECT_EQ(at.frames[1].ip, first->frames[1].ip) << way;
  }
}

TEST_P(ThunkGuestTest, FromEachInstructionTheWayBackIsToWhoeverCame) {
  for (int i = 0; i < 40 && !HasFailure(); ++i) {
    ASSERT_OK(guest_->gdb().Continue());
    const auto stop = guest_->gdb().WaitForStop(After(kQuiet));
    if (!stop && stop.error().code() == ErrorCode::kTimeout) break;
    ASSERT_OK(stop);
    if (stop->reason != GdbStop::Reason::kBreakpoint) continue;
    StepThrough(*stop);
  }
  EXPECT_GE(seen_.size(), 6u);
}

INSTANTIATE_TEST_SUITE_P(
    Kernels, ThunkGuestTest,
    testing::Values(
        Mitigation{"Linux612", "6.12", "max", ""},
        Mitigation{"Linux61", "6.1", "max", "spectre_v2=retpoline"},
        // Of processors whose returns are held off as well.
        Mitigation{"Linux612Unret", "6.12", "EPYC", "retbleed=unret spec_rstack_overflow=off"},
        Mitigation{"Linux612SafeRet", "6.12", "EPYC", "spec_rstack_overflow=safe-ret"},
        Mitigation{"Linux61Unret", "6.1", "EPYC", "retbleed=unret spec_rstack_overflow=off"},
        Mitigation{"Linux61SafeRet", "6.1", "EPYC", "spec_rstack_overflow=safe-ret"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr

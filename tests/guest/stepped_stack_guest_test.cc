// A CPU that goes through the kernel's entry and switching code one instruction after the other has
// a whole stack at each of them.
#include "guest_tests.h"
#include "stepped_guest.h"

namespace ktstr {
namespace {

using std::chrono::seconds;

struct Way {
  const char* name;
  const char* kernel;
  const char* from;  // symbol
};
void PrintTo(const Way& way, std::ostream* os) { *os << way.name; }

class SteppedStackGuestTest : public testing::TestWithParam<Way> {
 protected:
  static constexpr int kSteps = 120;

  void SetUp() override {
    MachineOptions options;
    options.kernel = StockKernel(GetParam().kernel);
    auto guest = SteppedGuest::Boot(options);
    ASSERT_OK(guest);
    guest_ = *std::move(guest);
    ASSERT_OK(guest_->machine().StartWorkers(
        {{.kind = "sleep"}, {.kind = "pipe"}, {.kind = "spin"}, {.kind = "threads"}}));
    ASSERT_OK(guest_->gdb().Halt());
    const auto kernel = guest_->OpenKernel();
    ASSERT_OK(kernel);
    const auto at = (*kernel)->symbol_kva(GetParam().from);
    ASSERT_OK(at);
    ASSERT_OK(guest_->gdb().SetBreakpoint(*at));
    ASSERT_OK(guest_->gdb().Continue());
    const auto stop = guest_->gdb().WaitForStop(After(seconds(20)));
    ASSERT_OK(stop);
    cpu_ = stop->cpu;
    ASSERT_OK(guest_->gdb().RemoveBreakpoint(*at));
  }

  std::unique_ptr<SteppedGuest> guest_;
  int cpu_ = 0;
};

TEST_P(SteppedStackGuestTest, ItIsWholeAtEachInstruction) {
  std::string way;
  for (int step = 0; step < kSteps; ++step) {
    const auto stack = guest_->StackOf(cpu_);
    ASSERT_OK(stack);
    way += "then " + stack->ToString();
    ASSERT_TRUE(stack->reason == "user mode" || stack->reason == "end of stack") << way;
    ASSERT_OK(guest_->gdb().Step(cpu_));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ways, SteppedStackGuestTest,
    testing::Values(Way{"Syscall612", "6.12", "entry_SYSCALL_64"},
                    Way{"Interrupt612", "6.12", "asm_sysvec_apic_timer_interrupt"},
                    Way{"Switch612", "6.12", "__switch_to_asm"},
                    Way{"Interrupt61", "6.1", "asm_sysvec_apic_timer_interrupt"},
                    Way{"Switch61", "6.1", "__switch_to_asm"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr

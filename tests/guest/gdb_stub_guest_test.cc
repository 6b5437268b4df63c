// QEMU's gdbstub on a real guest: the machine stops where it is told to, and goes on.
#include "capture/freeze.h"
#include "guest_tests.h"
#include "libcore/walk/stack/stack.h"
#include "stepped_guest.h"

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class GdbStubGuestTest : public testing::Test {
 protected:
  void SetUp() override {
    auto guest = SteppedGuest::Boot(Machine());
    ASSERT_OK(guest);
    guest_ = *std::move(guest);
    ASSERT_OK(guest_->machine().StartWorkers({{.kind = "sleep"}, {.kind = "pipe"}}));
    ASSERT_OK(guest_->gdb().Halt());
    auto kernel = guest_->OpenKernel();
    ASSERT_OK(kernel);
    kernel_ = *std::move(kernel);
  }
  Kva AddressOf(const char* symbol) { return kernel_->symbol_kva(symbol).value_or(Kva()); }
  Result<GdbStop> NextStop() {
    KTSTR_TRY(guest_->gdb().Continue());
    return guest_->gdb().WaitForStop(After(seconds(60)));
  }

  std::unique_ptr<SteppedGuest> guest_;
  std::unique_ptr<GuestKernel> kernel_;
};

TEST_F(GdbStubGuestTest, ABreakpointStopsTheCpuThatGetsThere) {
  GdbStub& gdb = guest_->gdb();
  const Kva at = AddressOf("hrtimer_nanosleep");
  ASSERT_OK(gdb.SetBreakpoint(at));
  const auto stop = NextStop();
  ASSERT_OK(stop);
  EXPECT_EQ(stop->reason, GdbStop::Reason::kBreakpoint);
  EXPECT_EQ(RunState(guest_->machine().qmp()), "debug");
  const auto stack = guest_->StackOf(stop->cpu);
  ASSERT_OK(stack);
  EXPECT_EQ(stack->ip, at) << stack->ToString();
  EXPECT_EQ(stack->reason, "user mode") << stack->ToString();
  // One step on, also out of the state that reading the registers left.
  const auto stepped = gdb.Step(stop->cpu);
  ASSERT_OK(stepped);
  EXPECT_EQ(stepped->cpu, stop->cpu);
  const auto next = guest_->StackOf(stop->cpu);
  ASSERT_OK(next);
  EXPECT_GT(next->ip, at) << next->ToString();
  EXPECT_LT(next->ip, at + 16) << next->ToString();
  // Without the breakpoint the guest runs on, and answers.
  ASSERT_OK(gdb.RemoveBreakpoint(at));
  ASSERT_OK(gdb.Continue());
  EXPECT_EQ(gdb.WaitForStop(After(milliseconds(300))).error().code(), ErrorCode::kTimeout);
  EXPECT_OK(guest_->machine().Report());
}

TEST_F(GdbStubGuestTest, AWatchpointStopsBehindTheWrite) {
  const Kva at = AddressOf("jiffies");
  ASSERT_OK(guest_->gdb().SetWriteWatchpoint(at, 8));
  const auto before = kernel_->Read<uint64_t>(at);
  ASSERT_OK(before);
  const auto stop = NextStop();
  ASSERT_OK(stop);
  EXPECT_EQ(stop->reason, GdbStop::Reason::kWatchpoint);
  EXPECT_EQ(stop->address, at);
  EXPECT_GT(kernel_->Read<uint64_t>(at).value_or(0), *before);
  ASSERT_OK(guest_->gdb().Detach());
  EXPECT_EQ(RunState(guest_->machine().qmp()), "running");
  EXPECT_OK(guest_->machine().Report());
}

TEST_F(GdbStubGuestTest, AStopByQmpIsToldAsAPause) {
  ASSERT_OK(guest_->gdb().Continue());
  {
    const auto frozen = Frozen::Freeze(guest_->machine().qmp());
    ASSERT_OK(frozen);
    const auto stop = guest_->gdb().WaitForStop(After(seconds(10)));
    ASSERT_OK(stop);
    EXPECT_EQ(stop->reason, GdbStop::Reason::kPaused);
  }
  EXPECT_EQ(RunState(guest_->machine().qmp()), "running");
  // The next command finds the machine running, and stops it.
  ASSERT_OK(guest_->gdb().SetBreakpoint(AddressOf("hrtimer_nanosleep")));
  const auto hit = NextStop();
  ASSERT_OK(hit);
  EXPECT_EQ(hit->reason, GdbStop::Reason::kBreakpoint);
}

}  // namespace
}  // namespace ktstr

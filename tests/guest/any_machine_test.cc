// Machines that somebody else has started, by hand: other QEMUs, other machine types, RAM in memory
// files; paused, or ended and left standing. Each is captured as often as one likes, and stays what
// it was.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "capture/capture.h"
#include "guest_tests.h"
#include "hand_started.h"
#include "libcore/archive/reader.h"

namespace ktstr {
namespace {

using testing::HasSubstr;

// What devices have, without a page of the guest's.
constexpr size_t kMostDeviceState = 256 << 10;

struct Variant {
  const char* qemu;  // a version, or "installed"
  const char* machine;
  const char* end;  // the run state in which it stands: paused, or shutdown
};

void PrintTo(const Variant& v, std::ostream* os) {
  *os << v.qemu << " " << v.machine << " " << v.end;
}

class AnyMachineTest : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    auto machine = HandStarted::Start({.qemu = GetParam().qemu,
                                       .machine = GetParam().machine,
                                       .resets = std::string_view(GetParam().end) == "shutdown"});
    ASSERT_OK(machine);
    machine_ = *std::move(machine);
  }

  std::shared_ptr<const ArchiveReader> CaptureTo(const std::string& name) {
    CaptureOptions options;
    options.output = machine_->directory() / name;
    const auto summary = Capture(machine_->qmp(), options);
    EXPECT_OK(summary);
    if (!summary) return nullptr;
    EXPECT_THAT(summary->warnings, testing::IsEmpty());
    auto reader = ArchiveReader::Open(options.output);
    EXPECT_OK(reader);
    return reader ? *std::move(reader) : nullptr;
  }

  std::unique_ptr<HandStarted> machine_;
};

TEST_P(AnyMachineTest, IsCapturedAgainAndAgainAndStaysWhatItWas) {
  const auto first = CaptureTo("1.kts");
  EXPECT_EQ(RunState(machine_->qmp()), GetParam().end);
  const auto second = CaptureTo("2.kts");
  EXPECT_EQ(RunState(machine_->qmp()), GetParam().end);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_THAT(first->metadata().kernel_release, HasSubstr("6.12"));
  EXPECT_EQ(first->vcpus().size(), 2u);
  EXPECT_TRUE(std::ranges::equal(first->vcpus(), second->vcpus()));
  const auto state = first->ReadDeviceState();
  ASSERT_OK(state);
  EXPECT_LT(state->size(), kMostDeviceState);
  // The clock that goes on without the machine is in it.
  EXPECT_EQ(state->size(), second->ReadDeviceState().value().size());
}

INSTANTIATE_TEST_SUITE_P(
    Machines, AnyMachineTest,
    testing::Values(Variant{"installed", "q35", "paused"}, Variant{"installed", "pc", "shutdown"},
                    Variant{"installed", "microvm", "paused"}, Variant{"10", "q35", "shutdown"},
                    Variant{"10", "pc", "paused"}, Variant{"10", "microvm", "paused"}),
    [](const testing::TestParamInfo<Variant>& info) {
      return fmt::format("{}_{}_{}", info.param.qemu, info.param.machine, info.param.end);
    });

}  // namespace
}  // namespace ktstr

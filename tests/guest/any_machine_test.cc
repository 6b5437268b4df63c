// Machines that somebody else has started, by hand: other QEMUs, other machine types, RAM in memory
// files; paused, or ended and left standing. Each is captured as often as one likes, and stays what
// it was.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <optional>

#include "capture/capture.h"
#include "capture/system/child_process.h"
#include "capture/system/memory_file.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"
#include "libcore/archive/reader.h"

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using synthetic::TemporaryDirectory;
using testing::HasSubstr;

constexpr seconds kPanicTimeout(120);
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
  // A kernel without a root file system: it panics, and then spins or resets.
  void SetUp() override {
    const std::string type = GetParam().machine;
    const bool resets = std::string_view(GetParam().end) == "shutdown";
    const std::string socket = directory_ / "qmp";
    said_ = *MakeMemoryFile("said");
    std::ofstream{console()};
    auto qemu = ChildProcess::Start(
        {.argv = {QemuProgram(GetParam().qemu),
                  "-nodefaults",
                  "-display",
                  "none",
                  "-no-reboot",
                  "-action",
                  "shutdown=pause",
                  "-machine",
                  fmt::format("{},memory-backend=mem0{}", type,
                              type == "microvm" ? ",pit=on,pic=on,rtc=on" : ""),
                  "-object",
                  "memory-backend-memfd,id=mem0,size=256M,share=on",
                  "-m",
                  "256M",
                  "-smp",
                  "2",
                  "-accel",
                  "tcg",
                  "-cpu",
                  "max",
                  "-kernel",
                  StockKernel("6.12").string(),
                  "-append",
                  fmt::format("console=ttyS0 tsc_early_khz=2000000 panic={}", resets ? -1 : 0),
                  "-serial",
                  "file:" + console(),
                  "-qmp",
                  "unix:" + socket + ",server=on,wait=off"},
         .stdout_fd = said_.get(),
         .stderr_fd = said_.get()});
    ASSERT_OK(qemu);
    qemu_.emplace(*std::move(qemu));
    ASSERT_TRUE(Await([&] { return Said().find("Kernel panic - not syncing") != Said().npos; }))
        << Said() << ReadTail(said_.get(), 4096).value();
    auto qmp = QmpClient::Connect(socket);
    ASSERT_OK(qmp);
    qmp_ = *std::move(qmp);
    if (resets) {
      ASSERT_TRUE(Await([&] { return RunState(*qmp_) == "shutdown"; })) << RunState(*qmp_);
    } else {
      ASSERT_OK(qmp_->Execute("stop"));
    }
  }

  std::string console() const { return directory_ / "console"; }
  std::string Said() const {
    std::ifstream file(console());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  // Until it is so; false when QEMU has ended or the time is up.
  bool Await(const std::function<bool()>& so) {
    const auto end = After(kPanicTimeout);
    while (!so()) {
      if (PollTimeout(end) == 0 || qemu_->Wait(After(milliseconds(20)))) return false;
    }
    return true;
  }
  std::shared_ptr<const ArchiveReader> CaptureTo(const std::string& name) {
    CaptureOptions options;
    options.output = directory_ / name;
    const auto summary = Capture(*qmp_, options);
    EXPECT_OK(summary);
    if (!summary) return nullptr;
    EXPECT_THAT(summary->warnings, testing::IsEmpty());
    auto reader = ArchiveReader::Open(options.output);
    EXPECT_OK(reader);
    return reader ? *std::move(reader) : nullptr;
  }

  TemporaryDirectory directory_;
  UniqueFd said_;
  std::optional<ChildProcess> qemu_;
  std::unique_ptr<QmpClient> qmp_;
};

TEST_P(AnyMachineTest, IsCapturedAgainAndAgainAndStaysWhatItWas) {
  const auto first = CaptureTo("1.kts");
  EXPECT_EQ(RunState(*qmp_), GetParam().end);
  const auto second = CaptureTo("2.kts");
  EXPECT_EQ(RunState(*qmp_), GetParam().end);
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

// Whole captures of a running guest: it goes on, and whatever fails leaves no file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "capture/capture.h"
#include "libcore/qemu/vcpu_state.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"
#include "libcore/archive/reader.h"

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using synthetic::TemporaryDirectory;
using testing::HasSubstr;

CaptureOptions To(const TemporaryDirectory& directory) {
  CaptureOptions options;
  options.output = directory / "guest.kts";
  options.tags = {{"purpose", "test"}};
  return options;
}

TEST(CaptureGuestTest, TheGuestGoesOnAndTheArchiveHoldsTheMachine) {
  const auto machine = BootWithWork(Machine());
  ASSERT_OK(machine);
  const auto before = (*machine)->Report();
  ASSERT_OK(before);
  const TemporaryDirectory directory;
  const auto summary = Capture((*machine)->qmp(), [&] {
    CaptureOptions options = To(directory);
    options.pid = (*machine)->qemu().pid();
    return options;
  }());
  ASSERT_OK(summary);
  EXPECT_EQ(RunState((*machine)->qmp()), "running");
  const auto after = (*machine)->Report();
  ASSERT_OK(after);
  EXPECT_GT(Rounds(*after), Rounds(*before));

  const auto archive = ArchiveReader::Open(directory / "guest.kts");
  ASSERT_OK(archive);
  const ArchiveMetadata& metadata = (*archive)->metadata();
  EXPECT_EQ((*archive)->vcpus().size(), 2u);
  EXPECT_EQ((*archive)->digest(), summary->archive.digest);
  EXPECT_EQ(metadata.kernel_release, (*machine)->release());
  EXPECT_THAT(metadata.kernel_cmdline, HasSubstr("console=ttyS0"));
  EXPECT_FALSE(metadata.derivations.empty());
  EXPECT_THAT(metadata.vmm_command_line, testing::Contains(HasSubstr("memory-backend=ram")));
  EXPECT_THAT(metadata.vmm_version, testing::StartsWith("QEMU "));
  EXPECT_EQ(metadata.trigger, "manual");
  EXPECT_EQ(metadata.tags.at("purpose"), "test");
  const auto state = (*archive)->ReadDeviceState();
  ASSERT_OK(state);
  EXPECT_EQ(ParseVcpus(*state)->size(), 2u);
  EXPECT_TRUE(summary->warnings.empty()) << summary->warnings[0];
}

TEST(CaptureGuestTest, APausedGuestStaysPausedAndCanGoOnLater) {
  const auto machine = BootWithWork(Machine());
  ASSERT_OK(machine);
  QmpClient& qmp = (*machine)->qmp();
  const TemporaryDirectory directory;
  CaptureOptions options = To(directory);
  options.pid = (*machine)->qemu().pid();
  ASSERT_OK(qmp.Execute("stop"));
  ASSERT_OK(Capture(qmp, options));
  EXPECT_EQ(RunState(qmp), "paused");
  options.overwrite = true;
  ASSERT_OK(Capture(qmp, options));
  EXPECT_EQ(RunState(qmp), "paused");

  ASSERT_OK(qmp.Execute("cont"));
  EXPECT_OK((*machine)->Report());
  EXPECT_OK(Capture(qmp, options));
  EXPECT_OK((*machine)->Report());
}

TEST(CaptureGuestTest, AQemuThatDiesDuringTheCaptureLeavesNoFile) {
  const auto machine = BootWithWork(Machine());
  ASSERT_OK(machine);
  const TemporaryDirectory directory;
  CaptureOptions options = To(directory);
  options.pid = (*machine)->qemu().pid();
  options.progress = [&](uint64_t, uint64_t) { (*machine)->qemu().Kill(); };
  const auto summary = Capture((*machine)->qmp(), options);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code(), ErrorCode::kPeer) << summary.error().ToString();
  EXPECT_TRUE(directory.empty());
}

TEST(CaptureGuestTest, ACancelledCaptureLetsTheGuestGoOnAndLeavesNoFile) {
  const auto machine = BootWithWork(Machine());
  ASSERT_OK(machine);
  const TemporaryDirectory directory;
  const std::atomic<bool> cancel = true;
  CaptureOptions options = To(directory);
  options.pid = (*machine)->qemu().pid();
  options.cancel = &cancel;
  const auto summary = Capture((*machine)->qmp(), options);
  ASSERT_FALSE(summary);
  EXPECT_EQ(ExitCodeFor(summary.error().code()), ExitCode::kEnvironment);
  EXPECT_TRUE(directory.empty());
  EXPECT_EQ(RunState((*machine)->qmp()), "running");
  EXPECT_OK((*machine)->Report());
}

TEST(CaptureGuestTest, AnExistingFileIsRefusedBeforeTheGuestIsStopped) {
  const auto machine = BootWithWork(Machine());
  ASSERT_OK(machine);
  const TemporaryDirectory directory;
  const CaptureOptions options = To(directory);
  std::ofstream(options.output) << "precious";
  (*machine)->qmp().DropEvents("STOP");
  const auto summary = Capture((*machine)->qmp(), options);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code(), ErrorCode::kExists);
  EXPECT_EQ((*machine)->qmp().WaitForEvent("STOP", After(milliseconds(0))).error().code(),
            ErrorCode::kTimeout);
}

}  // namespace
}  // namespace ktstr

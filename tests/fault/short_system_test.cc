// Proves that ktstr-capture and ktstr-run end with an error and exit code 4 (not by abort) where
// the system gives them no more memory, processes, threads or room on a disk, however much of them
// it gave before, that a guest of somebody else's then goes on, and that no part of an archive is
// left.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "../guest/guest_tests.h"
#include "faulted_program.h"
#include "fixtures/sample/temporary_directory.h"
#include "small_disk.h"

namespace ktstr {
namespace {

using std::chrono::seconds;
using synthetic::TemporaryDirectory;

// Runs under a limit, as "ulimit" of bash takes it.
ProgramEnd RunLimited(const std::string& limit, std::vector<std::string> argv) {
  argv.insert(argv.begin(),
              {"bash", "-c", fmt::format("ulimit {}; exec \"$@\"", limit), "limited"});
  return RunToEnd(argv);
}

// As nobody, whom a limit on processes holds for: root it does not.
ProgramEnd RunWithoutProcesses(std::vector<std::string> argv) {
  argv.insert(argv.begin(), {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                             "--bounding-set=-all", "prlimit", "--nproc=1"});
  return RunToEnd(argv);
}

// A guest of somebody else's, as small as can be; the test has a monitor of its own.
struct SmallGuest {
  TemporaryDirectory directory;
  std::string socket = directory / "qmp";
  std::optional<ChildProcess> qemu;
  std::unique_ptr<QmpClient> qmp;

  Status Start() {
    auto [ours, theirs] = *MakeSocketPair();
    qemu.emplace(KTSTR_TRY(ChildProcess::Start(
        {.argv = {"qemu-system-x86_64", "-nodefaults", "-display", "none", "-accel", "tcg", "-M",
                  "q35,memory-backend=ram", "-m", "64M", "-object",
                  "memory-backend-memfd,id=ram,size=64M,share=on", "-chardev",
                  fmt::format("socket,id=own,fd={}", theirs.get()), "-mon",
                  "chardev=own,mode=control", "-qmp", "unix:" + socket + ",server=on,wait=off"},
         .kept_fds = {theirs.get()}})));
    theirs.Close();
    qmp = KTSTR_TRY(QmpClient::Open(std::move(ours), "QEMU", seconds(60)));
    return {};
  }
};

TEST(ShortSystemTest, ACaptureUnderAnyLimitOnMemoryWorksOrEndsWithExitCode4) {
  const TemporaryDirectory out;
  SmallGuest guest;
  ASSERT_OK(guest.Start());
  int refused = 0;
  bool worked = false;
  // From so little that the program begins, to enough. 64 MiB of it is the guest's RAM.
  for (int mib = 12; mib < 4096 && !worked; mib += mib < 128 ? 4 : mib / 4) {
    SCOPED_TRACE(fmt::format("{} MiB", mib));
    const ProgramEnd end =
        RunLimited(fmt::format("-v {}", mib << 10),
                   {KTSTR_CAPTURE_PROGRAM, "--qmp", guest.socket, "-o", out / "a.kts"});
    EXPECT_EQ(AwaitRunning(*guest.qmp), "running");
    EXPECT_TRUE(AwaitGuards());
    worked = end.exit_code == 0;
    // What ends before main() is the system's word (127).
    if (worked || end.exit_code == 127) continue;
    EXPECT_EQ(end.exit_code, 4) << end.said;
    EXPECT_NE(end.said, "");
    EXPECT_TRUE(out.empty());
    ++refused;
  }
  EXPECT_TRUE(worked);
  EXPECT_GT(refused, 5);
}

TEST(ShortSystemTest, ACaptureToAFullFileSystemLeavesNothingThereAndTheGuestRunning) {
  const TemporaryDirectory out;
  const SmallDisk disk(out.path());
  if (!disk.why_not().empty()) GTEST_SKIP() << disk.why_not();
  SmallGuest guest;
  ASSERT_OK(guest.Start());
  const auto capture = [&] {
    return RunToEnd({KTSTR_CAPTURE_PROGRAM, "--qmp", guest.socket, "-o", out / "a.kts"});
  };
  const uint64_t room = disk.Free(), page = sysconf(_SC_PAGESIZE);
  // Until the guest's firmware has come to its end: before, each archive needs more or less than
  // the last.
  uint64_t needed = 0;
  for (bool settled = false; !settled;) {
    std::filesystem::remove(out / "a.kts");
    const ProgramEnd well = capture();
    ASSERT_EQ(well.exit_code, 0) << well.said;
    settled = needed == room - disk.Free();
    needed = room - disk.Free();
  }
  // Of the last one the firmware's clock can still change what compresses to some bytes.
  for (const uint64_t left :
       {uint64_t{0}, page, needed / 2 / page * page, needed * 7 / 8 / page * page}) {
    SCOPED_TRACE(fmt::format("{} of {} bytes are left", left, needed));
    std::filesystem::remove(out / "a.kts");
    ASSERT_NO_FATAL_FAILURE(disk.Fill(left));
    const ProgramEnd end = capture();
    EXPECT_EQ(end.exit_code, 4) << end.said;
    EXPECT_THAT(end.said, testing::HasSubstr("No space left on device"));
    EXPECT_THAT(disk.Files(), testing::IsEmpty());
    EXPECT_EQ(AwaitRunning(*guest.qmp), "running");
    EXPECT_TRUE(AwaitGuards());
    disk.Empty();
    EXPECT_EQ(capture().exit_code, 0);
  }
}

TEST(ShortSystemTest, WithoutMoreProcessesBootingIsAnError) {
  const TemporaryDirectory directory, kernels;
  const std::string kernel = kernels / "vmlinuz";
  std::filesystem::copy(StockKernel("6.12"), kernel);
  std::filesystem::permissions(kernel, std::filesystem::perms(0644));
  std::filesystem::permissions(kernels.path(), std::filesystem::perms(0755));
  const ProgramEnd end = RunWithoutProcesses(
      {KTSTR_CAPTURE_PROGRAM, "boot", "--kernel", kernel, "-o", directory / "a.kts"});
  EXPECT_EQ(end.exit_code, 4) << end.said;
  EXPECT_THAT(end.said, testing::HasSubstr("starting a thread"));
  EXPECT_TRUE(directory.empty());
}

TEST(ShortSystemTest, AKernelThatMayNotBeLookedAtIsAnError) {
  const TemporaryDirectory directory, kernels;  // 0700
  const ProgramEnd end = RunWithoutProcesses(
      {KTSTR_CAPTURE_PROGRAM, "boot", "--kernel", kernels / "vmlinuz", "-o", directory / "a.kts"});
  EXPECT_EQ(end.exit_code, 4) << end.said;
  EXPECT_THAT(end.said, testing::HasSubstr("Permission denied"));
}

TEST(ShortSystemTest, WithoutMoreProcessesATestIsAnError) {
  const TemporaryDirectory directory;
  const ProgramEnd end = RunWithoutProcesses(
      {KTSTR_RUN_PROGRAM, "--out", directory / "out", KTSTR_SCENARIO_DIR "/healthy.toml"});
  EXPECT_EQ(end.exit_code, 4) << end.said;
}

}  // namespace
}  // namespace ktstr

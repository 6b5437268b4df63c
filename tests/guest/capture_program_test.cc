// ktstr-capture as a user runs it: attached to a QEMU that somebody else started, and booting a
// guest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "capture/system/child_process.h"
#include "capture/system/memory_file.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"
#include "libcore/archive/reader.h"

namespace ktstr {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using synthetic::TemporaryDirectory;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

// A machine without a kernel, with a QMP socket in the file system.
class ForeignQemu {
 public:
  ForeignQemu(const TemporaryDirectory& directory, std::vector<std::string> ram)
      : socket_((directory / "vm.qmp").string()) {
    std::vector<std::string> argv = {"qemu-system-x86_64",
                                     "-nodefaults",
                                     "-display",
                                     "none",
                                     "-accel",
                                     "tcg",
                                     "-m",
                                     "64M",
                                     "-qmp",
                                     "unix:" + socket_ + ",server=on,wait=off"};
    argv.insert(argv.end(), ram.begin(), ram.end());
    auto started = ChildProcess::Start({.argv = argv});
    if (started) process_.emplace(*std::move(started));
  }

  const std::string& socket() const { return socket_; }
  std::string RunState() const {
    const auto qmp = QmpClient::Connect(socket_);
    return qmp ? ktstr::RunState(**qmp) : qmp.error().ToString();
  }

  // Waits until QEMU listens, which nothing announces.
  bool AwaitSocket() {
    const Deadline deadline = After(seconds(30));
    while (PollTimeout(deadline) > 0) {
      if (QmpClient::Connect(socket_)) return true;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }

 private:
  std::string socket_;
  std::optional<ChildProcess> process_;
};

struct ProgramResult {
  int status = -1;
  std::string said;  // on both outputs
};

ProgramResult RunCaptureProgram(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), KTSTR_CAPTURE_PROGRAM);
  const UniqueFd said = *MakeMemoryFile("said");
  auto program =
      ChildProcess::Start({.argv = arguments, .stdout_fd = said.get(), .stderr_fd = said.get()});
  if (!program) return {};
  const int status = program->Wait(After(seconds(120))).value_or(-1);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, *ReadTail(said.get(), 100'000)};
}

TEST(CaptureProgramTest, AttachesToARunningQemuWithItsRamInAFileThatIsDeleted) {
  const TemporaryDirectory directory;
  const std::string ram = (directory / "ram").string();
  ForeignQemu qemu(directory,
                   {"-object", "memory-backend-file,id=ram,size=64M,share=on,mem-path=" + ram,
                    "-machine", "q35,memory-backend=ram"});
  ASSERT_TRUE(qemu.AwaitSocket());
  std::filesystem::remove(ram);
  const std::string archive = (directory / "a.kts").string();
  const ProgramResult result =
      RunCaptureProgram({"--qmp", qemu.socket(), "-o", archive, "--tag", "a=b"});
  EXPECT_EQ(result.status, 0) << result.said;
  EXPECT_THAT(result.said, HasSubstr("frozen for"));
  EXPECT_THAT(result.said, HasSubstr("no kernel found")) << "firmware only, and it says so";
  const auto reader = ArchiveReader::Open(archive);
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->regions().back().end.pa(), Pa(64 * kMiB));
  EXPECT_EQ(qemu.RunState(), "running");

  const ProgramResult again = RunCaptureProgram({"--qmp", qemu.socket(), "-o", archive});
  EXPECT_EQ(again.status, 4) << again.said;
  EXPECT_THAT(again.said, HasSubstr("--force"));
}

TEST(CaptureProgramTest, WithoutAKernelThatTellsWhatIsItsOwnEverythingIsKept) {
  const TemporaryDirectory directory;
  ForeignQemu qemu(directory, {"-object", "memory-backend-memfd,id=ram,size=64M,share=on",
                               "-machine", "q35,memory-backend=ram"});
  ASSERT_TRUE(qemu.AwaitSocket());
  const std::string archive = (directory / "a.kts").string();
  const ProgramResult result =
      RunCaptureProgram({"--qmp", qemu.socket(), "-o", archive, "--keep", "kernel"});
  EXPECT_EQ(result.status, 0) << result.said;
  EXPECT_THAT(result.said, HasSubstr("so everything is kept"));
  EXPECT_THAT(result.said, Not(HasSubstr("left out")));
  const auto reader = ArchiveReader::Open(archive);
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->metadata().kept, "all");
  for (const PageCount& count : (*reader)->CountPages()) {
    EXPECT_NE(count.fate, PageFate::kNotCaptured);
  }
}

TEST(CaptureProgramTest, AWriteThatTheSystemRefusesIsExitCode4AndLeavesNothing) {
  const TemporaryDirectory directory, machine;
  ForeignQemu qemu(machine, {"-object", "memory-backend-memfd,id=ram,size=64M,share=on", "-machine",
                             "q35,memory-backend=ram"});
  ASSERT_TRUE(qemu.AwaitSocket());
  // No file may be larger than 4 KiB.
  const rlimit none = {4096, RLIM_INFINITY};
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  const ProgramResult result =
      RunCaptureProgram({"--qmp", qemu.socket(), "-o", (directory / "a.kts").string()});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(result.status, 4) << result.said;
  EXPECT_TRUE(directory.empty());
  EXPECT_EQ(qemu.RunState(), "running");
}

TEST(CaptureProgramTest, AnUnreachableSocketIsExitCode4) {
  const TemporaryDirectory directory;
  const std::string archive = (directory / "a.kts").string();
  const ProgramResult result =
      RunCaptureProgram({"--qmp", (directory / "none").string(), "-o", archive});
  EXPECT_EQ(result.status, 4);
  EXPECT_THAT(result.said, HasSubstr("none"));
  EXPECT_TRUE(directory.empty());
}

TEST(CaptureProgramTest, WrongUsageIsExitCode2AndABadKernelExitCode3) {
  EXPECT_EQ(RunCaptureProgram({}).status, 2);
  EXPECT_EQ(RunCaptureProgram({"--bogus"}).status, 2);
  EXPECT_EQ(RunCaptureProgram({"boot", "--kernel", "/etc/passwd", "-o", "/nonexistent/x"}).status,
            3);
  EXPECT_EQ(RunCaptureProgram({"--qmp", "x", "-o", "y", "--keep", "some"}).status, 2);
  EXPECT_EQ(RunCaptureProgram({"--help"}).status, 0);
}

TEST(CaptureProgramTest, BootsCapturesAndEndsAGuest) {
  const TemporaryDirectory directory;
  const std::string archive = (directory / "a.kts").string();
  const std::string report = (directory / "report.json").string();
  const ProgramResult result = RunCaptureProgram(
      {"boot", "--kernel", StockKernel("6.12").string(), "-o", archive, "--cpus", "1", "--nokaslr",
       "--work", "spin:2,pipe", "--report", report, "--keep", "kernel"});
  ASSERT_EQ(result.status, 0) << result.said;
  EXPECT_THAT(result.said, ContainsRegex("left out: [0-9]+ free, .*[0-9]+ user data"));
  const auto reader = ArchiveReader::Open(archive);
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->vcpus().size(), 1u);
  EXPECT_EQ((*reader)->metadata().kept, "kernel");
  EXPECT_THAT((*reader)->metadata().kernel_cmdline, HasSubstr("nokaslr"));
  std::ifstream text(report);
  const json account = json::parse(text, nullptr, false);
  ASSERT_TRUE(account.is_object());
  EXPECT_GT(account["account"]["tasks"].size(), 10u);
}

}  // namespace
}  // namespace ktstr

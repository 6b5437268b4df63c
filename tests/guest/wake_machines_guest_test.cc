// Machines that somebody else has started by hand, woken: other QEMUs, other machine types, with
// what the host gave them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <optional>

#include "capture/capture.h"
#include "capture/run/woken_run.h"
#include "capture/system/child_process.h"
#include "capture/system/memory_file.h"
#include "fixtures/sample/temporary_directory.h"
#include "hand_started.h"
#include "woken.h"

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using synthetic::TemporaryDirectory;
using testing::HasSubstr;
using testing::Not;

constexpr char kEnd[] = "Kernel panic - not syncing";

struct WakeVariant {
  const char* qemu;  // a version, or "installed"
  const char* name;
  std::vector<std::string> machine;
};

void PrintTo(const WakeVariant& v, std::ostream* os) { *os << v.qemu << " " << v.name; }

class WakeMachineTest : public testing::TestWithParam<WakeVariant> {
 protected:
  std::string console() const { return directory_ / "console"; }
  std::string Said() const {
    std::ifstream file(console());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  // A kernel in the middle of its boot, which ends in a panic since there is no root.
  void FreezeInBoot(const std::string& archive) {
    const std::string socket = directory_ / "qmp";
    const UniqueFd said = *MakeMemoryFile("said");
    std::ofstream{console()};
    std::vector<std::string> argv = {QemuProgram(GetParam().qemu)};
    argv.insert(argv.end(), GetParam().machine.begin(), GetParam().machine.end());
    argv.insert(argv.end(),
                {"-display", "none", "-no-reboot", "-smp", "2", "-accel", "tcg", "-cpu", "max",
                 "-kernel", StockKernel("6.12").string(), "-append",
                 "console=ttyS0 tsc_early_khz=2000000 panic=0", "-serial", "file:" + console(),
                 "-monitor", "none", "-qmp", "unix:" + socket + ",server=on,wait=off"});
    auto qemu =
        ChildProcess::Start({.argv = argv, .stdout_fd = said.get(), .stderr_fd = said.get()});
    ASSERT_OK(qemu);
    // What another process writes to a file is announced by nothing.
    const Deadline end = After(seconds(120));
    while (Said().find("Run /init") == std::string::npos &&
           Said().find("clocksource") == std::string::npos) {
      ASSERT_GT(PollTimeout(end), 0) << Said();
      ASSERT_FALSE(qemu->Wait(After(milliseconds(10)))) << ReadTail(said.get(), 4096).value();
    }
    const auto qmp = QmpClient::Connect(socket);
    ASSERT_OK(qmp);
    CaptureOptions capture;
    capture.output = archive;
    capture.then = AfterCapture::kQuit;
    const auto captured = Capture(**qmp, capture);
    ASSERT_OK(captured);
    ASSERT_THAT(Said(), Not(HasSubstr(kEnd))) << "frozen too late";
  }

  TemporaryDirectory directory_;
};

TEST_P(WakeMachineTest, ABootGoesOnWhereItWasFrozen) {
  const std::string archive = directory_ / "boot.kts";
  ASSERT_NO_FATAL_FAILURE(FreezeInBoot(archive));
  const auto reader = ArchiveReader::Open(archive);
  ASSERT_OK(reader);
  const auto woken = WakeMachine(**reader, {});
  ASSERT_OK(woken);
  ASSERT_NO_FATAL_FAILURE(ExpectTheSame(woken->qemu->qmp(), woken->qemu->pid(), archive));
  ASSERT_OK(woken->qemu->qmp().Execute("cont"));
  const Deadline end = After(seconds(120));
  while (woken->qemu->ConsoleTail().find(kEnd) == std::string::npos) {
    ASSERT_GT(PollTimeout(end), 0) << woken->qemu->ConsoleTail();
    ASSERT_FALSE(woken->qemu->WaitForExit(After(milliseconds(20))));
  }
  EXPECT_THAT(woken->qemu->ConsoleTail(), Not(HasSubstr("Linux version")));
}

// A machine whose guest has reset it after a panic is woken like any other, and it is said what it
// is.
TEST(WakeStoppedMachineTest, IsToldOfAsWhatItIs) {
  const auto machine = HandStarted::Start({.resets = true});
  ASSERT_OK(machine);
  const std::string archive = (*machine)->directory() / "shutdown.kts";
  CaptureOptions capture;
  capture.output = archive;
  ASSERT_OK(Capture((*machine)->qmp(), capture));
  const auto reader = ArchiveReader::Open(archive);
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->metadata().run_state, "shutdown");
  const auto woken = WakeMachine(**reader, {});
  ASSERT_OK(woken);
  EXPECT_THAT(woken->notes, testing::Contains(HasSubstr("switched it off or reset it")));
  ASSERT_NO_FATAL_FAILURE(ExpectTheSame(woken->qemu->qmp(), woken->qemu->pid(), archive));
}

const std::vector<std::string> kShared = {
    "-object", "memory-backend-memfd,id=mem0,size=256M,share=on", "-m", "256M"};

std::vector<std::string> With(std::vector<std::string> words,
                              const std::vector<std::string>& more = kShared) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

INSTANTIATE_TEST_SUITE_P(
    Machines, WakeMachineTest,
    testing::Values(
        WakeVariant{"installed", "q35", With({"-machine", "q35,memory-backend=mem0"})},
        WakeVariant{"installed", "pc", With({"-nodefaults", "-machine", "pc,memory-backend=mem0"})},
        WakeVariant{
            "installed", "microvm",
            With({"-nodefaults", "-machine", "microvm,memory-backend=mem0,pit=on,pic=on,rtc=on"})},
        WakeVariant{
            "installed",
            "numa_split",
            {"-machine", "q35", "-m", "3G", "-object", "memory-backend-memfd,id=a,size=2G,share=on",
             "-numa", "node,nodeid=0,cpus=0,memdev=a", "-object",
             "memory-backend-memfd,id=b,size=1G,share=on", "-numa",
             "node,nodeid=1,cpus=1,memdev=b"}},
        WakeVariant{
            "installed", "network",
            With({"-machine", "q35,memory-backend=mem0", "-netdev",
                  "user,id=n,hostfwd=tcp:127.0.0.1:0-:22", "-device", "virtio-net-pci,netdev=n",
                  "-chardev", "socket,id=s,host=127.0.0.1,port=0,server=on,wait=off", "-device",
                  "virtio-serial-pci", "-device", "virtserialport,chardev=s,name=org.x"})},
        WakeVariant{"installed", "private_ram", {"-machine", "q35", "-m", "256"}},
        WakeVariant{"10", "q35", With({"-machine", "q35,memory-backend=mem0"})},
        WakeVariant{
            "10", "microvm",
            With({"-nodefaults", "-machine", "microvm,memory-backend=mem0,pit=on,pic=on,rtc=on"})}),
    [](const testing::TestParamInfo<WakeVariant>& info) {
      return fmt::format("{}_{}", info.param.qemu, info.param.name);
    });

}  // namespace
}  // namespace ktstr

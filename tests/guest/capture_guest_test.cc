// What the capture room claims, on real guests in a real QEMU.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cinttypes>
#include <fstream>
#include <iterator>
#include <thread>

#include "guest_kernels.h"
#include "ktstr/archive/reader.h"
#include "ktstr/capture/capture.h"
#include "ktstr/capture/device_state.h"
#include "ktstr/capture/guest_machine.h"
#include "ktstr/capture/live_memory.h"
#include "ktstr/capture/memory_file.h"
#include "ktstr/capture/vcpu_state.h"
#include "ktstr/sample/temporary_directory.h"

namespace ktstr {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using synthetic::TemporaryDirectory;
using testing::HasSubstr;

constexpr uint64_t kMiB = uint64_t{1} << 20;

testing::AssertionResult IsOk(const Status& status) {
  if (status) return testing::AssertionSuccess();
  return testing::AssertionFailure() << status.error().ToString();
}
template <typename T>
testing::AssertionResult IsOk(const Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().ToString();
}
#define ASSERT_OK(result) ASSERT_TRUE(IsOk(result))
#define EXPECT_OK(result) EXPECT_TRUE(IsOk(result))

MachineOptions Machine(const std::string& kernel = "6.12") {
  MachineOptions options;
  options.kernel = StockKernel(kernel);
  return options;
}

Result<std::unique_ptr<GuestMachine>> BootWithWork(const MachineOptions& options,
                                                   const char* work = "spin:2,sleep:2") {
  auto machine = KTSTR_TRY(GuestMachine::Boot(options));
  KTSTR_TRY(machine->StartWorkers(KTSTR_TRY(ParseWorkerSpecs(work))));
  return machine;
}

// The sum of all workers' rounds.
uint64_t Rounds(const json& report) {
  uint64_t rounds = 0;
  for (const json& worker : report["workers"]) rounds += worker["rounds"].get<uint64_t>();
  return rounds;
}

std::string RunState(QmpClient& qmp) {
  const auto status = qmp.Execute("query-status");
  return status ? (*status)["status"].get<std::string>() : status.error().ToString();
}

// The registers that "info registers -a" shows of one vCPU, such as "RIP=ffffffff81000000".
uint64_t ShownRegister(const std::string& text, uint32_t cpu, const std::string& name) {
  const size_t at = text.find("CPU#" + std::to_string(cpu));
  const size_t found = text.find(name, at);
  uint64_t value = 0;
  std::sscanf(text.c_str() + found + name.size(), "%" SCNx64, &value);
  return value;
}

// ---- Booting

TEST(GuestMachineTest, A612GuestBootsWorksReportsAndEnds) {
  const auto machine = BootWithWork(Machine(), "spin,yield,sleep:2,pipe,futex-wait,threads");
  ASSERT_OK(machine);
  EXPECT_THAT((*machine)->release(), testing::StartsWith("6.12."));
  const auto report = (*machine)->Report();
  ASSERT_OK(report);
  std::map<std::string, json> tasks;
  for (const json& task : (*report)["account"]["tasks"]) tasks[task["comm"]] = task;
  for (const char* name : {"ktstr-init", "spin-0", "yield-0", "sleep-0", "sleep-1", "pipe-0a",
                           "pipe-0b", "futex-wait-0", "threads-0a", "threads-0d"}) {
    EXPECT_TRUE(tasks.contains(name)) << name;
  }
  EXPECT_EQ(tasks["ktstr-init"]["pid"], 1);
  EXPECT_EQ(tasks["spin-0"]["state"], "R");
  EXPECT_EQ(tasks["futex-wait-0"]["state"], "S");
  EXPECT_EQ(tasks["threads-0d"]["tgid"], tasks["threads-0a"]["pid"]);
  EXPECT_GT(Rounds(*report), 0u);
  const auto status = (*machine)->PowerOff();
  ASSERT_OK(status);
  EXPECT_EQ(*status, 0);
}

TEST(GuestMachineTest, A61GuestBootsWithModulesFromItsPackage) {
  const auto machine = BootWithWork(Machine("6.1"));
  ASSERT_OK(machine);
  EXPECT_THAT((*machine)->release(), testing::StartsWith("6.1."));
  EXPECT_OK((*machine)->Report());
}

TEST(GuestMachineTest, AnUnknownKindOfWorkerIsRefusedWithTheKindsThereAre) {
  const auto machine = GuestMachine::Boot(Machine());
  ASSERT_OK(machine);
  const auto started = (*machine)->StartWorkers({{.kind = "spinn"}});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), ErrorCode::kPeer);
  EXPECT_THAT(started.error().ToString(),
              testing::AllOf(HasSubstr("'spinn'"), HasSubstr("spin, ")));
}

TEST(GuestMachineTest, AGuestThatPanicsOnBootSaysSo) {
  MachineOptions options = Machine();
  options.kernel_cmdline = "rdinit=/nonexistent init=/nonexistent";
  const auto machine = GuestMachine::Boot(options);
  ASSERT_FALSE(machine);
  EXPECT_THAT(machine.error().ToString(), HasSubstr("panic"));
  EXPECT_EQ(ExitCodeFor(machine.error().code()), ExitCode::kEnvironment);
}

TEST(GuestMachineTest, AQemuThatIsKilledIsNamedInTheNextAnswer) {
  const auto machine = GuestMachine::Boot(Machine());
  ASSERT_OK(machine);
  kill((*machine)->qemu().pid(), SIGKILL);
  const auto report = (*machine)->Report();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kPeer);
  EXPECT_THAT(report.error().ToString(), HasSubstr("killed by signal 9"));
}

TEST(GuestMachineTest, WhatQemuSaysOfItsCommandLineIsInTheError) {
  MachineOptions options = Machine();
  options.accelerator = Accelerator::kTcg;
  options.extra_arguments = {"-device", "no-such-device"};
  const auto machine = GuestMachine::Boot(options);
  ASSERT_FALSE(machine);
  EXPECT_THAT(machine.error().ToString(), HasSubstr("no-such-device"));
  EXPECT_EQ(ExitCodeFor(machine.error().code()), ExitCode::kEnvironment);
}

TEST(GuestMachineTest, NothingOutlivesAKilledParent) {
  const MachineOptions options = Machine();
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t helper = fork();
  if (helper == 0) {
    const auto machine = GuestMachine::Boot(options);
    const pid_t pid = machine ? (*machine)->qemu().pid() : -1;
    std::ignore = write(pipe_fds[1], &pid, sizeof pid);
    for (;;) pause();
  }
  pid_t qemu = -1;
  ASSERT_EQ(read(pipe_fds[0], &qemu, sizeof qemu), ssize_t(sizeof qemu));
  ASSERT_GT(qemu, 0);
  const UniqueFd watched(static_cast<int>(syscall(SYS_pidfd_open, qemu, 0)));
  kill(helper, SIGKILL);
  waitpid(helper, nullptr, 0);
  pollfd waiting = {watched.get(), POLLIN, 0};
  EXPECT_EQ(poll(&waiting, 1, 30'000), 1) << "QEMU still runs";
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

// ---- Registers and memory

void CheckRegisters(GuestMachine& machine, const std::vector<VcpuRegisters>& vcpus) {
  const auto shown = machine.qmp().HumanCommand("info registers -a");
  ASSERT_OK(shown);
  for (const VcpuRegisters& vcpu : vcpus) {
    EXPECT_EQ(vcpu.rip, ShownRegister(*shown, vcpu.cpu, "RIP="));
    EXPECT_EQ(vcpu.reg(Gpr::kRsp), ShownRegister(*shown, vcpu.cpu, "RSP="));
    EXPECT_EQ(vcpu.reg(Gpr::kR15), ShownRegister(*shown, vcpu.cpu, "R15="));
    EXPECT_EQ(vcpu.cr3, ShownRegister(*shown, vcpu.cpu, "CR3="));
    EXPECT_EQ(vcpu.cr4, ShownRegister(*shown, vcpu.cpu, "CR4="));
    EXPECT_EQ(vcpu.efer, ShownRegister(*shown, vcpu.cpu, "EFER="));
    EXPECT_EQ(vcpu.idt.base, ShownRegister(*shown, vcpu.cpu, "IDT=     "));
    EXPECT_EQ(vcpu.cs.selector, ShownRegister(*shown, vcpu.cpu, "CS ="));
    // What every running Linux has: system calls enter in the kernel image, the code runs in it or
    // in user space.
    EXPECT_GE(vcpu.lstar, 0xffffffff80000000u);
    EXPECT_EQ(vcpu.lstar, vcpus[0].lstar);
    EXPECT_NE(vcpu.tsc, 0u);
    if (vcpu.mode() == VcpuMode::kUser) {
      EXPECT_LT(vcpu.rip, uint64_t{1} << 56);
    } else {
      EXPECT_GE(vcpu.rip, 0xffffffff80000000u);
    }
  }
}

TEST(DeviceStateTest, RegistersAreWhatQemuShows) {
  for (const char* cpu_model : {"max", "max,la57=off"}) {
    MachineOptions options = Machine();
    options.cpus = 3;
    options.cpu_model = cpu_model;
    const auto machine = BootWithWork(options);
    ASSERT_OK(machine);
    // The timer of the stopped machine is the time stamp: it goes on from freeze to freeze.
    uint64_t last_tsc = 0;
    for (int round = 0; round < 5; ++round) {
      auto frozen = Frozen::Freeze((*machine)->qmp());
      ASSERT_OK(frozen);
      const auto state = SaveDeviceState(*frozen);
      ASSERT_OK(state);
      const auto vcpus = ParseVcpus(**state);
      ASSERT_OK(vcpus);
      ASSERT_EQ(vcpus->size(), 3u);
      EXPECT_EQ((*vcpus)[0].five_level_paging(), std::string_view(cpu_model) == "max");
      CheckRegisters(**machine, *vcpus);
      EXPECT_GT((*vcpus)[0].tsc, last_tsc);
      last_tsc = (*vcpus)[0].tsc;
      ASSERT_OK(frozen->Resume());
      ASSERT_OK((*machine)->Report());
    }
  }
}

TEST(DeviceStateTest, QemusMigrationSettingsArePutBack) {
  const auto machine = BootWithWork(Machine());
  ASSERT_OK(machine);
  QmpClient& qmp = (*machine)->qmp();
  const json multifd = {{{"capability", "multifd"}, {"state", true}}};
  ASSERT_OK(qmp.Execute("migrate-set-capabilities", {{"capabilities", multifd}}));
  const auto before = qmp.Execute("query-migrate-capabilities");
  ASSERT_OK(before);
  {
    auto frozen = Frozen::Freeze(qmp);
    ASSERT_OK(frozen);
    const auto first = SaveDeviceState(*frozen);
    ASSERT_OK(first);
    const auto again = SaveDeviceState(*frozen);
    ASSERT_OK(again);
    EXPECT_EQ(*first, *again) << "asked twice within a freeze, the same bytes";
  }
  EXPECT_EQ(qmp.Execute("query-migrate-capabilities").value(), *before);
}

// The page at `pa` as QEMU itself saves it.
std::string PageByQemu(QmpClient& qmp, uint64_t pa, const TemporaryDirectory& directory) {
  const std::string file = (directory / "page").string();
  const auto saved =
      qmp.Execute("pmemsave", {{"val", pa}, {"size", kPageSize}, {"filename", file}});
  EXPECT_OK(saved);
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The addresses of the region's pages that are not all zeros.
std::vector<uint64_t> PagesInUse(const GuestMemory& memory, const MemoryRegion& region) {
  std::vector<uint64_t> used;
  for (Pfn pfn = region.begin; (pfn = memory.NextTouched(pfn)) < region.end; pfn = pfn + 1) {
    const PageView page = memory.View(pfn);
    const auto bytes = page.bytes();
    if (std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; })) {
      used.push_back(pfn.pa().value());
    }
    if (pfn + 1 == region.end) break;
  }
  return used;
}

class RamMapGuestTest : public testing::TestWithParam<uint64_t> {};

TEST_P(RamMapGuestTest, EveryAddressReadsAsQemuReadsIt) {
  MachineOptions options = Machine();
  options.memory_bytes = GetParam() * kMiB;
  const auto machine = BootWithWork(options);
  ASSERT_OK(machine);
  QmpClient& qmp = (*machine)->qmp();
  const TemporaryDirectory directory;
  auto frozen = Frozen::Freeze(qmp);
  ASSERT_OK(frozen);
  auto map = FindRam(qmp, (*machine)->qemu().pid());
  ASSERT_OK(map);
  const auto memory = LiveMemory::Map(*std::move(map));
  ASSERT_OK(memory);
  EXPECT_EQ((*memory)->page_count() * kPageSize, options.memory_bytes);

  std::vector<uint64_t> samples = {0,       0x1000,  0x9f000, 0xa0000, 0xc2000, 0xc3000,
                                   0xe7000, 0xe8000, 0xf0000, 0xff000, 0x100000};
  for (const MemoryRegion& region : (*memory)->regions()) {
    samples.push_back(region.end.pa().value() - kPageSize);
    const uint64_t step = region.page_count() / 25 + 1;
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + step) {
      samples.push_back(pfn.pa().value());
    }
    // Pages that hold something prove more than zeros do: some of them, all over the region.
    const std::vector<uint64_t> used = PagesInUse(**memory, region);
    for (size_t i = 0; i < used.size(); i += used.size() / 25 + 1) samples.push_back(used[i]);
  }
  int not_zero = 0;
  for (const uint64_t pa : samples) {
    const PageView page = (*memory)->View(Pfn::Of(Pa(pa)));
    ASSERT_TRUE(page.readable()) << std::hex << pa;
    const std::string ours(reinterpret_cast<const char*>(page.data()), kPageSize);
    EXPECT_EQ(ours, PageByQemu(qmp, pa, directory)) << std::hex << pa;
    not_zero += ours.find_first_not_of('\0') != std::string::npos;
  }
  EXPECT_GT(not_zero, 20);
  if (options.memory_bytes > 2816 * kMiB) {
    EXPECT_EQ((*memory)->View(Pfn::Of(Pa(0xc0000000))).fate(), PageFate::kOutside);
    EXPECT_EQ((*memory)->end(), Pa(0x100000000 + options.memory_bytes - 2048 * kMiB));
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RamMapGuestTest, testing::Values(512, 1024, 4096),
                         [](const auto& size) { return std::to_string(size.param) + "MiB"; });

// ---- Whole captures

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
  EXPECT_FALSE(qmp.Execute("query-status").value()["running"].get<bool>());

  // QEMU gives its state only once while the guest stands still.
  options.overwrite = true;
  const auto second = Capture(qmp, options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kPeer);

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

// ---- Attaching to a QEMU that somebody else started, and the program

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

TEST(CaptureProgramTest, PrivateRamIsAnErrorThatSaysWhatToDo) {
  const TemporaryDirectory directory;
  ForeignQemu qemu(directory, {"-machine", "q35"});
  ASSERT_TRUE(qemu.AwaitSocket());
  const std::string archive = (directory / "a.kts").string();
  const ProgramResult result = RunCaptureProgram({"--qmp", qemu.socket(), "-o", archive});
  EXPECT_EQ(result.status, 4) << result.said;
  EXPECT_THAT(result.said, HasSubstr("share=on"));
  EXPECT_FALSE(std::filesystem::exists(archive));
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
  EXPECT_EQ(RunCaptureProgram({"--help"}).status, 0);
}

TEST(CaptureProgramTest, BootsCapturesAndEndsAGuest) {
  const TemporaryDirectory directory;
  const std::string archive = (directory / "a.kts").string();
  const std::string report = (directory / "report.json").string();
  const ProgramResult result =
      RunCaptureProgram({"boot", "--kernel", StockKernel("6.12").string(), "-o", archive, "--cpus",
                         "1", "--nokaslr", "--work", "spin:2,pipe", "--report", report});
  ASSERT_EQ(result.status, 0) << result.said;
  const auto reader = ArchiveReader::Open(archive);
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->vcpus().size(), 1u);
  EXPECT_THAT((*reader)->metadata().kernel_cmdline, HasSubstr("nokaslr"));
  std::ifstream text(report);
  const json account = json::parse(text, nullptr, false);
  ASSERT_TRUE(account.is_object());
  EXPECT_GT(account["account"]["tasks"].size(), 10u);
}

}  // namespace
}  // namespace ktstr

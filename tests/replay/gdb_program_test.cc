// ktstr-replay gdb and symbols as a user runs them: Debian's gdb over frozen machines.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <vector>

#include "../analyze/run_program.h"
#include "libcore/archive/container.h"
#include "libcore/archive/writer.h"
#include "libcore/base/text_file.h"
#include "libcore/walk/stack/stack.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

std::string StatePath(const std::string& name) { return std::string(KTSTR_STATE_DIR) + "/" + name; }

class GdbProgramTest : public testing::Test {
 protected:
  // Symbols of the state, made anew.
  std::string Symbols(const std::string& archive) {
    const std::string path = (directory_ / "symbols.elf").string();
    const Ran made = RunInShell(fmt::format("{} symbols {} -o {}", KTSTR_REPLAY, archive, path));
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return path;
  }
  // What gdb says to these commands, where it stands in the archive.
  std::string Gdb(const std::string& archive, const std::vector<std::string>& commands,
                  const std::string& options = "", const std::string& symbols = "") {
    std::string line = fmt::format(
        "gdb -q -nx -batch -ex 'set width 0' -ex 'set confirm off' {} -ex 'target remote | {} gdb "
        "{} - {}'",
        symbols, KTSTR_REPLAY, archive, options);
    for (const std::string& command : commands) line += fmt::format(" -ex '{}'", command);
    const Ran ran = RunInShell(line + " 2>&1");
    EXPECT_THAT(ran.out, Not(HasSubstr("target description"))) << line;
    return ran.out;
  }

  synthetic::TemporaryDirectory directory_;
};

// Damage is refused with the way out named; without registers one stands in tasks that sleep.
TEST_F(GdbProgramTest, AnArchiveWithoutItsRegistersOrMetadataIsLookedAtWhereThatIsAccepted) {
  const std::string archive = (directory_ / "damaged.kts").string();
  const std::string good = ReadTextFile(StatePath("stall.kts")).value();
  ASSERT_TRUE(WriteTextFile(archive, good));
  const auto container = archive::ReadContainer(archive::InputFile::Open(archive).value()).value();
  const auto flip_in = [&](archive::SectionType type) {
    std::string bad = good;
    bad[container.Find(type)->offset + 30] ^= 8;
    ASSERT_TRUE(WriteTextFile(archive, bad));
  };
  flip_in(archive::SectionType::kVcpus);
  EXPECT_THAT(Gdb(archive, {}), HasSubstr("--accept-damage does without what is lost"));
  EXPECT_THAT(Gdb(archive, {}, "--accept-damage"), HasSubstr("but in tasks that sleep (--tasks)"));
  const std::string said =
      Gdb(archive, {"info threads", "p/x $cr3", "x/s $rsp"}, "--tasks --accept-damage");
  EXPECT_THAT(said, HasSubstr("registers lost: "));
  EXPECT_THAT(said, HasSubstr("kthreadd"));
  EXPECT_THAT(said, HasSubstr("$1 = <unavailable>"));
  EXPECT_THAT(said, Not(HasSubstr("(CPU ")));

  flip_in(archive::SectionType::kMetadata);
  const std::string of_all = Gdb(archive, {"info threads"}, "--accept-damage");
  EXPECT_THAT(of_all, HasSubstr("metadata lost: "));
  EXPECT_THAT(of_all, HasSubstr("Thread 2 (CPU 1: swapper/1"));
  const Ran symbols = RunInShell(fmt::format("{} symbols {} -o {} --accept-damage", KTSTR_REPLAY,
                                             archive, (directory_ / "s.elf").string()));
  EXPECT_EQ(symbols.exit_code, 3) << symbols.err;
  EXPECT_THAT(symbols.out, HasSubstr(" symbols, and how to walk stacks back"));
}

// A machine whose registers came from a dump that does not tell of some (RegisterGroup).
TEST_F(GdbProgramTest, RegistersThatAreNotKnownAreUnavailableAndNotZero) {
  const auto machine = FrozenMachine::Open(StatePath("stall.kts")).value();
  const auto told = machine->archive().vcpus();
  std::vector<VcpuRegisters> vcpus(told.begin(), told.end());
  for (VcpuRegisters& vcpu : vcpus) {
    vcpu.Forget(RegisterGroup::kControl);
    vcpu.Forget(RegisterGroup::kSystemCalls);
    vcpu.Forget(RegisterGroup::kHalted);
    vcpu.cr0 = vcpu.cr2 = vcpu.cr3 = vcpu.cr4 = vcpu.efer = vcpu.lstar = 0;
    vcpu.halted = false;
  }
  const std::string archive = (directory_ / "partly.kts").string();
  const auto written = WriteArchive(archive,
                                    {.memory = machine->memory(),
                                     .vcpus = vcpus,
                                     .device_state = {},
                                     .metadata = machine->archive().metadata()},
                                    {});
  ASSERT_TRUE(written) << written.error().ToString();
  const Kva banner = machine->Kernel().value()->symbol_kva("linux_banner").value();
  const std::string said =
      Gdb(archive, {"info threads", "thread 2", "p $cr3", "p $efer", "p/x $gs_base",
                    fmt::format("x/s {:#x}", banner.value()), "x/x 0x1000"});
  EXPECT_THAT(said, HasSubstr("Thread 2 (vCPU 1, kernel, perhaps halted)"));
  EXPECT_THAT(said, HasSubstr("$1 = <unavailable>\n$2 = <unavailable>"));
  EXPECT_THAT(said, HasSubstr(fmt::format("$3 = {:#x}", vcpus[1].gs.base)));
  EXPECT_THAT(said, HasSubstr("Linux version 6.12"));
  // Without page tables an address of user space leads nowhere, not to that of physical memory.
  EXPECT_THAT(said, HasSubstr("Cannot access memory at address 0x1000"));
}

TEST_F(GdbProgramTest, ShowsCpusAsThreadsWithAllRegistersThatTheArchiveHas) {
  const auto machine = FrozenMachine::Open(StatePath("stall.kts"));
  ASSERT_TRUE(machine) << machine.error().ToString();
  const VcpuRegisters& vcpu = (*machine)->archive().vcpus()[1];
  const std::string said =
      Gdb(StatePath("stall.kts"), {"info threads", "thread 2", "p/x $rip", "p/x $rsp", "p/x $r12",
                                   "p/x $cr3", "p/x $gs_base", "p/x $efer", "p/x $lstar",
                                   "p/x $idt_base", "p $xmm0", "p $st0", "p $eflags"});
  EXPECT_THAT(said, HasSubstr("Thread 1 (CPU 0: spin-0 (44), user)"));
  EXPECT_THAT(said, HasSubstr("Thread 2 (CPU 1: swapper/1 (0), halted)"));
  int number = 0;
  for (const uint64_t value : {vcpu.rip, vcpu.reg(Gpr::kRsp), vcpu.reg(Gpr::kR12), vcpu.cr3,
                               vcpu.gs.base, vcpu.efer, vcpu.lstar, vcpu.idt.base}) {
    EXPECT_THAT(said, HasSubstr(fmt::format("${} = {:#x}\n", ++number, value)));
  }
  EXPECT_THAT(said, HasSubstr("$9 = <unavailable>\n$10 = <unavailable>\n"));
  EXPECT_THAT(said, ContainsRegex("\\$11 = \\[.*IF.*\\]"));
}

TEST_F(GdbProgramTest, ReadsTheMemoryOfTheKernel) {
  const auto machine = FrozenMachine::Open(StatePath("stall.kts"));
  ASSERT_TRUE(machine) << machine.error().ToString();
  const auto kernel = (*machine)->Kernel();
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  const Kva banner = *(*kernel)->symbol_kva("linux_banner");
  const std::string said =
      Gdb(StatePath("stall.kts"), {fmt::format("x/s {:#x}", banner.value()), "x/gx 16"});
  EXPECT_THAT(said, HasSubstr("\"Linux version " + (*kernel)->release()));
  EXPECT_THAT(said, HasSubstr("Cannot access memory at address 0x10"));
}

TEST_F(GdbProgramTest, SaysThatMemoryIsMissingAndWhy) {
  const std::string said = Gdb(StatePath("stall.kts"), {"x/gx $rip", "monitor page 0x4246af"});
  EXPECT_THAT(said, HasSubstr("Cannot access memory at address 0x4246af"));
  EXPECT_THAT(said, HasSubstr("not captured, user data"));
}

TEST_F(GdbProgramTest, StandsInATaskThatSleeps) {
  const std::string archive = StatePath("stall.kts");
  const std::string said =
      Gdb(archive,
          {"monitor task 47", "info threads", "thread 3", "bt", "p $rax", "p/x $rip", "monitor bt",
           "monitor task 44", "monitor task 99999", "monitor nonsense"},
          "", Symbols(archive));
  EXPECT_THAT(said, HasSubstr("task spin-3 (47), on no CPU is Thread"));
  EXPECT_THAT(said, ContainsRegex("#0  0xffffffff[0-9a-f]+ in __schedule \\(\\)\n"
                                  "#1  0xffffffff[0-9a-f]+ in schedule \\(\\)\n"
                                  "#2  0xffffffff[0-9a-f]+ in irqentry_exit_to_user_mode \\(\\)\n"
                                  "#3  <signal handler called>\n"));
  EXPECT_THAT(said, HasSubstr("$1 = <unavailable>"));
  EXPECT_THAT(said, HasSubstr("asm_sysvec_apic_timer_interrupt+0x1a (interrupt)\n    user mode"));
  EXPECT_THAT(said, HasSubstr("CPU 0: spin-0 (44), user is Thread 1"));
  EXPECT_THAT(said, HasSubstr("there is no thread 99999"));
  EXPECT_THAT(said, HasSubstr("there is no monitor command 'nonsense'"));
}

// Per-CPU variables of this kernel count from 0: gdb must not move them with the rest.
TEST_F(GdbProgramTest, SaysHowAVmlinuxIsLaidWhereTheKernelIs) {
  const auto machine = FrozenMachine::Open(StatePath("stall.kts"));
  const GuestKernel& kernel = **(*machine)->Kernel();
  const std::string said = Gdb(StatePath("stall.kts"), {"monitor vmlinux"});
  EXPECT_THAT(said, HasSubstr(fmt::format("add-symbol-file vmlinux {:#x} -s .rodata ",
                                          kernel.symbol_kva("_text")->value())));
  EXPECT_THAT(said,
              HasSubstr(fmt::format(" -s .data {:#x}", kernel.symbol_kva("_sdata")->value())));
  EXPECT_THAT(said, Not(HasSubstr("percpu")));
}

TEST_F(GdbProgramTest, RefusesToRunAndToBeWritten) {
  const std::string said = Gdb(StatePath("stall.kts"), {"continue", "stepi", "set $rax=1",
                                                        "set var *(int*)$rip=1", "info threads"});
  EXPECT_THAT(said, HasSubstr("this machine is frozen and does not run"));
  EXPECT_THAT(said, HasSubstr("this machine is frozen and is only read"));
  EXPECT_THAT(said, ContainsRegex("Cannot access memory at address 0x4246af\n.*\n.*Thread 1 "));
}

// Kernel frames by pid, as "address" or "event" for code that was entered by an interrupt, an
// exception or a system call, whose own address gdb does not show.
using Frames = std::map<int64_t, std::vector<std::string>>;

Frames OurFrames(const std::string& archive) {
  const auto machine = FrozenMachine::Open(archive);
  const auto walked = WalkStacks(**(*machine)->Kernel());
  Frames frames;
  for (const StackFrameRow& row : walked->rows) {
    if (row.kind == "end" || row.pid.value_or(0) <= 0) continue;
    frames[*row.pid].push_back(
        row.kind == "call" || row.kind == "bpf" ? fmt::format("{:#018x}", row.ip->value) : "event");
  }
  return frames;
}

Frames FramesOfGdb(const std::string& said) {
  static const std::regex thread(R"(^Thread .*\(([0-9]+)\), )");
  static const std::regex frame(R"(^#[0-9]+ +(0x[0-9a-f]+ in|<signal))");
  std::istringstream lines(said);
  Frames frames;
  int64_t pid = 0;
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_search(line, match, thread)) pid = std::stoll(match[1]);
    if (!std::regex_search(line, match, frame) || pid == 0) continue;
    const std::string address = match[1] == "<signal" ? "event" : match[1].str().substr(0, 18);
    if (address == "event" || address.starts_with("0xffff")) frames[pid].push_back(address);
  }
  return frames;
}

class GdbStacksTest : public GdbProgramTest, public testing::WithParamInterface<const char*> {};

// Two ways back that have nothing in common but the kernel's tables: gdb by the DWARF made of them,
// and our unwinder.
TEST_P(GdbStacksTest, AreThoseThatWeUnwind) {
  const std::string archive = StatePath(GetParam());
  const Frames ours = OurFrames(archive);
  const Frames gdbs =
      FramesOfGdb(Gdb(archive, {"thread apply all bt"}, "--tasks", Symbols(archive)));
  ASSERT_GE(ours.size(), 40u);
  size_t compared = 0;
  for (const auto& [pid, frames] : ours) {
    const auto gdb = gdbs.find(pid);
    if (gdb == gdbs.end()) continue;
    EXPECT_EQ(gdb->second, frames) << "task " << pid;
    ++compared;
  }
  EXPECT_GE(compared, ours.size() - 2);
}

INSTANTIATE_TEST_SUITE_P(Of, GdbStacksTest,
                         testing::Values("stall.kts", "panic.kts", "soft-lockup.kts"));

TEST_F(GdbProgramTest, WaitsAtASocketForOneClientAfterAnother) {
  const std::string at = (directory_ / "gdb.sock").string();
  const Ran ran = RunInShell(fmt::format(
      "coproc {} gdb {} --socket {}; read -r; read -r line <&${{COPROC[0]}}; "
      "for i in 1 2; do gdb -q -nx -batch -ex 'target remote {}' -ex 'info threads'; done; "
      "stat -c 'mode %a' {}; kill -INT $COPROC_PID; wait $COPROC_PID; echo ended $?; ls {}",
      KTSTR_REPLAY, StatePath("stall.kts"), at, at, at, at));
  EXPECT_THAT(ran.out, ContainsRegex("CPU 1: swapper/1.*\n(.*\n)*.*CPU 1: swapper/1"));
  EXPECT_THAT(ran.out, HasSubstr("mode 600\nended 0\n"));
  EXPECT_THAT(ran.err, HasSubstr("No such file"));
}

// gdb 18 shows what it was told by standard error only where its connection was not reset.
TEST_F(GdbProgramTest, RefusesWithoutResettingTheConnection) {
  const std::string path = (directory_ / "client.py").string();
  ASSERT_TRUE(
      WriteTextFile(path,
                    "import socket, subprocess, sys\n"
                    "ours, theirs = socket.socketpair()\n"
                    "ours.sendall(b'+$qSupported#37')\n"
                    "program = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)\n"
                    "theirs.close()\n"
                    "print('heard', ours.recv(100), program.wait())\n"));
  const Ran ran = RunInShell(fmt::format("python3 {} {} gdb /dev/null -", path, KTSTR_REPLAY));
  EXPECT_EQ(ran.out, "heard b'' 3\n");
  EXPECT_THAT(ran.err, HasSubstr("/dev/null"));
}

TEST_F(GdbProgramTest, RefusesWhatIsNoArchiveAndWordsThatExcludeEachOther) {
  const std::string state = StatePath("stall.kts"), program = KTSTR_REPLAY;
  EXPECT_EQ(RunInShell(program + " gdb /dev/null -").exit_code, 3);
  EXPECT_EQ(RunInShell(program + " gdb " + state + " - --port 0").exit_code, 2);
  EXPECT_EQ(RunInShell(program + " gdb " + state + " --socket " + state).exit_code, 4);
  EXPECT_EQ(RunInShell(program + " gdb " + state + " elsewhere").exit_code, 2);
  EXPECT_EQ(RunInShell(program + " symbols " + state + " -o " + state).exit_code, 4);
}

}  // namespace
}  // namespace ktstr

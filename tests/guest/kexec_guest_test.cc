// Two kernels in memory: a crash kernel beside the one that crashed, and what a plain kexec has
// left of the kernel before. Live and in the archive each is asked for itself, and shows its own
// CPUs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "analyze/index/index.h"
#include "analyze/text/output.h"
#include "capture/boot/cpio_writer.h"
#include "capture/capture.h"
#include "capture/live_ops.h"
#include "guest_tests.h"
#include "hand_started.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/ops/json.h"
#include "replay/frozen_machine.h"
#include "replay/gdb/frozen_target.h"

namespace ktstr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

std::vector<std::byte> Initramfs(std::span<const std::byte> next) {
  CpioWriter cpio;
  cpio.AddFile("init", FileBytes(KTSTR_KEXEC_INIT), 0755);
  if (!next.empty()) {
    cpio.AddFile("next", next);
    cpio.AddFile("kernel", FileBytes(StockKernel("6.12")));
  }
  return std::move(cpio).Finish();
}

class KexecGuestTest : public testing::Test {
 protected:
  // Starts a machine whose init does `what`, waits for the next kernel, and captures it.
  void Begin(const std::string& what) {
    const auto initramfs = Initramfs(Initramfs({}));
    std::ofstream(directory_ / "initrd", std::ios::binary)
        .write(reinterpret_cast<const char*>(initramfs.data()),
               static_cast<std::streamsize>(initramfs.size()));
    auto machine =
        HandStarted::Start({.kernel_arguments = "crashkernel=160M -- " + what,
                            .until = "the next kernel is up",
                            .memory_size = "512M",
                            .arguments = {"-initrd", directory_ / "initrd", "-object",
                                          "memory-backend-memfd,id=mem0,size=512M,share=on",
                                          "-machine", "memory-backend=mem0"}});
    ASSERT_OK(machine);
    machine_ = *std::move(machine);
    CaptureOptions options;
    options.output = directory_ / "a.kts";
    const auto summary = Capture(machine_->qmp(), options);
    ASSERT_OK(summary);
    kernels_ = summary->kernels;
  }

  // The rows of a query about one of the kernels, as text.
  std::vector<std::vector<std::string>> Ask(size_t instance, const std::string& sql) {
    const auto index =
        OpenIndex(directory_ / "a.kts", {.use_file = false, .kernel = {.instance = instance}});
    EXPECT_OK(index);
    if (!index) return {};
    const auto answer = index->Query(sql);
    EXPECT_OK(answer);
    std::vector<std::vector<std::string>> rows;
    for (const auto& row : answer ? answer->rows : std::vector<std::vector<Value>>{}) {
      rows.emplace_back();
      for (const Value& cell : row) rows.back().push_back(ToDisplay(cell));
    }
    return rows;
  }
  std::string AskOne(size_t instance, const std::string& sql) {
    const auto rows = Ask(instance, sql);
    return rows.size() == 1 && rows[0].size() == 1 ? rows[0][0] : testing::PrintToString(rows);
  }

  synthetic::TemporaryDirectory directory_;
  std::unique_ptr<HandStarted> machine_;
  std::string kernels_;
};

TEST_F(KexecGuestTest, ACrashKernelAndTheOneThatCrashedAreEachAskedForThemselves) {
  Begin("crash");
  EXPECT_THAT(kernels_, StartsWith("2 in memory: 1 (6.12"));
  // The kernel panicked on CPU 1, which then began the crash kernel; CPU 0 stays in the old one.
  for (const size_t instance : {1, 2}) {
    EXPECT_EQ(AskOne(instance, "SELECT group_concat(state || ' ' || vcpus, ', ') FROM kernel"),
              "running 1, stopped 0");
    EXPECT_EQ(AskOne(instance, "SELECT count(crashed_at_s) FROM kernel WHERE instance = 2"), "1");
    EXPECT_EQ(AskOne(instance, "SELECT value FROM machine WHERE key = 'kernels'"), "2");
    EXPECT_EQ(AskOne(instance, "SELECT group_concat(walker || ' ' || detail) FROM anomaly"),
              ToDisplay(Value()));
  }
  // The crash kernel.
  EXPECT_EQ(AskOne(1, "SELECT value FROM machine WHERE key = 'crash_kernel'"), "1");
  EXPECT_THAT(Ask(1, "SELECT cpu, kernel_instance, kernel_cpu FROM vcpu ORDER BY cpu"),
              ElementsAre(ElementsAre("0", "2", ToDisplay(Value())), ElementsAre("1", "1", "0")));
  EXPECT_EQ(AskOne(1, "SELECT count(*) FROM task WHERE comm = 'spins-on'"), "0");
  EXPECT_THAT(AskOne(1, "SELECT value FROM machine WHERE key = 'cmdline'"),
              HasSubstr("elfcorehdr="));
  // The one that crashed: its CPUs are as they were then.
  EXPECT_EQ(AskOne(2, "SELECT value FROM machine WHERE key = 'crash_kernel'"), "0");
  EXPECT_EQ(AskOne(2, "SELECT value FROM machine WHERE key = 'panic_cpu'"), "1");
  EXPECT_THAT(Ask(2,
                  "SELECT n.cpu, t.comm, n.mode, n.panicked FROM crash_note n JOIN task t ON "
                  "t.pid = n.pid ORDER BY n.cpu"),
              ElementsAre(ElementsAre("0", "spins-on", testing::AnyOf("user", "kernel"), "0"),
                          ElementsAre("1", "init", "kernel", "1")));
  EXPECT_THAT(Ask(2, "SELECT cpu, comm, mode FROM cpu_now"),
              ElementsAre(ElementsAre("0", "spins-on", testing::AnyOf("user", "kernel")),
                          ElementsAre("1", "init", "kernel")));
  const std::string stack =
      AskOne(2,
             "SELECT group_concat(symbol, ' ') FROM (SELECT symbol FROM stack_frame f JOIN task t "
             "USING (task_kva) WHERE t.pid = 1 AND f.cpu = 1 ORDER BY depth)");
  EXPECT_THAT(stack, HasSubstr("sysrq_handle_crash"));
  EXPECT_EQ(AskOne(2, "SELECT count(*) FROM log WHERE text = 'sysrq: Trigger a crash'"), "1");

  // In gdb they are threads beside the vCPUs, with the registers that the kernel saved and no
  // others.
  const auto frozen = FrozenMachine::Open(directory_ / "a.kts");
  ASSERT_OK(frozen);
  const auto gdb = FrozenTarget::Create(**frozen, {.kernel = {.instance = 2}});
  ASSERT_OK(gdb);
  constexpr GdbThread kCrashed = FrozenTarget::kFirstCrashed;
  EXPECT_THAT((*gdb)->Threads(), ElementsAre(1, 2, kCrashed, kCrashed + 1));
  EXPECT_EQ((*gdb)->Describe(kCrashed + 1), "CPU 1: init (1), when it crashed");
  const GdbRegisterValues registers = (*gdb)->Registers(kCrashed + 1);
  EXPECT_NE(GdbRegisterHex(registers, 16), std::string(16, 'x'));  // rip
  GdbRegisterValues all = (*gdb)->Registers(1);
  for (const char* name : {"cr3", "efer", "fs_base"}) SetGdbRegister(all, name, 0x1dea);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(all[i] != 0x1dea || !registers[i]) << i;
  }
  EXPECT_THAT((*gdb)->Monitor(kCrashed + 1, "bt"), HasSubstr("sysrq_handle_crash"));
  EXPECT_THAT((*gdb)->Monitor(1, "cpu 1"), HasSubstr("when it crashed"));
}

TEST_F(KexecGuestTest, ARunningGuestsKernelsAreEachAskedByOps) {
  Begin("crash");
  auto frozen = Frozen::Freeze(machine_->qmp());
  ASSERT_OK(frozen);
  const auto request = RequestFromJson(
      R"({"direction":"read","entries":[{"target":{"symbol":"elfcorehdr_addr"},"value":{"u64":0}}]})");
  ASSERT_OK(request);
  std::vector<std::string> values;
  for (const size_t instance : {1, 2}) {
    const auto ops = LiveOps::Open(*frozen, machine_->pid(), instance);
    ASSERT_OK(ops);
    const auto reply = (*ops)->Dispatch(*frozen, *request);
    ASSERT_OK(reply);
    ASSERT_TRUE(reply->success);
    values.push_back(ToJson(*reply));
  }
  // ELFCORE_ADDR_MAX where nobody has crashed before.
  EXPECT_THAT(values[0], testing::Not(HasSubstr("18446744073709551615")));
  EXPECT_THAT(values[1], HasSubstr("18446744073709551615"));
  const auto third = LiveOps::Open(*frozen, machine_->pid(), 3);
  ASSERT_FALSE(third);
  EXPECT_THAT(third.error().ToString(), HasSubstr("there is no kernel 3: memory holds 2"));
}

TEST_F(KexecGuestTest, AfterAPlainKexecTheNewKernelIsTheOneThatIsAsked) {
  Begin("plain");
  EXPECT_EQ(AskOne(1, "SELECT state FROM kernel WHERE instance = 1"), "running");
  EXPECT_EQ(AskOne(1,
                   "SELECT count(*) FROM machine WHERE key = 'cmdline' AND value LIKE "
                   "'%reset_devices%'"),
            "1");
  EXPECT_EQ(AskOne(1, "SELECT value FROM machine WHERE key = 'crash_kernel'"), "0");
  EXPECT_EQ(AskOne(1, "SELECT count(*) FROM crash_note"), "0");
  EXPECT_EQ(AskOne(1, "SELECT kernel_cpu FROM vcpu WHERE kernel_instance = 1"), "0");
  EXPECT_EQ(AskOne(1, "SELECT group_concat(walker || ' ' || detail) FROM anomaly"),
            ToDisplay(Value()));
}

}  // namespace
}  // namespace ktstr

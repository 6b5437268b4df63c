// Machines whose RAM QEMU does not share, which is what QEMU does by itself: read out of its
// process, or asked for through its monitor where that is forbidden.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "../analyze/run_program.h"
#include "capture/capture.h"
#include "capture/live_memory.h"
#include "capture/live_ops.h"
#include "capture/qemu/monitor_ram.h"
#include "capture/watch/running_kernel.h"
#include "guest_tests.h"
#include "hand_started.h"
#include "replay/snapshot_memory.h"

namespace ktstr {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct Backend {
  const char* name;
  const char* qemu;
  const char* memory_size;
  std::vector<std::string> arguments;
  uint64_t bytes;  // RAM in all
};

void PrintTo(const Backend& backend, std::ostream* os) { *os << backend.name; }

const Backend kDefault = {"default", "installed", "256M", {}, 256 * kMiB};

// All of a region as QEMU itself writes it.
std::string SavedByQemu(HandStarted& machine, const MemoryRegion& region) {
  const std::string file = machine.directory() / "region";
  const auto saved = machine.qmp().Execute("pmemsave", {{"val", region.begin.pa().value()},
                                                        {"size", region.page_count() * kPageSize},
                                                        {"filename", file}});
  EXPECT_OK(saved);
  std::string bytes(std::filesystem::file_size(file), '\0');
  std::ifstream(file, std::ios::binary).read(bytes.data(), std::streamsize(bytes.size()));
  return bytes;
}

// How many pages of memory are not what QEMU says, one that NextTouched passes over being zeros.
size_t DifferentPages(HandStarted& machine, const GuestMemory& memory) {
  size_t different = 0;
  for (const MemoryRegion& region : memory.regions()) {
    const std::string expected = SavedByQemu(machine, region);
    EXPECT_EQ(expected.size(), region.page_count() * kPageSize);
    Pfn touched = memory.NextTouched(region.begin);
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      if (touched < pfn) touched = memory.NextTouched(pfn);
      const char* page = expected.data() + (pfn - region.begin) * kPageSize;
      if (touched == pfn) {
        const PageView view = memory.View(pfn);
        different += !view.readable() || std::memcmp(view.data(), page, kPageSize) != 0;
      } else {
        different += std::memcmp(page, PageView::Zero().data(), kPageSize) != 0;
      }
    }
  }
  return different;
}

class PrivateRamTest : public testing::TestWithParam<Backend> {};

TEST_P(PrivateRamTest, EveryPageIsWhatQemuHas) {
  auto started = HandStarted::Start({.qemu = GetParam().qemu,
                                     .memory_size = GetParam().memory_size,
                                     .arguments = GetParam().arguments});
  ASSERT_OK(started);
  HandStarted& machine = **started;
  for (const bool still : {false, true}) {
    auto map = FindRam(machine.qmp(), machine.pid());
    ASSERT_OK(map);
    EXPECT_THAT(map->files, IsEmpty());
    EXPECT_EQ(map->why_monitor, "");
    const auto memory = LiveMemory::Map(*std::move(map));
    ASSERT_OK(memory);
    (*memory)->SetStill(still);
    EXPECT_EQ((*memory)->page_count() * kPageSize, GetParam().bytes);
    EXPECT_EQ(DifferentPages(machine, **memory), 0u);
  }
  CaptureOptions options;
  options.output = machine.directory() / "private.kts";
  const auto summary = Capture(machine.qmp(), options);
  ASSERT_OK(summary);
  EXPECT_THAT(summary->warnings, IsEmpty());
  EXPECT_THAT(summary->kernel_release, HasSubstr("6.12"));
}

INSTANTIATE_TEST_SUITE_P(
    Backends, PrivateRamTest,
    testing::Values(
        kDefault,
        Backend{"nodes_and_dimm",
                "10",
                "256M,slots=1,maxmem=1G",
                {"-object", "memory-backend-ram,id=n0,size=128M", "-object",
                 "memory-backend-ram,id=n1,size=128M", "-numa", "node,nodeid=0,memdev=n0,cpus=0",
                 "-numa", "node,nodeid=1,memdev=n1,cpus=1", "-object",
                 "memory-backend-ram,id=d0,size=128M", "-device", "pc-dimm,memdev=d0"},
                384 * kMiB},
        Backend{"copy_of_a_file",
                "installed",
                "256M",
                {"-object", "memory-backend-file,id=mem0,size=256M,mem-path=/tmp,share=off",
                 "-machine", "memory-backend=mem0"},
                256 * kMiB}),
    [](const testing::TestParamInfo<Backend>& info) { return info.param.name; });

TEST(MonitorRamTest, EveryPageIsWhatQemuHas) {
  auto started = HandStarted::Start({.arguments = {}});
  ASSERT_OK(started);
  HandStarted& machine = **started;
  RamMap map = {.files = {},
                .pieces = {{.begin = Pfn(0x100), .pages = 0x2000, .offset = 0x100 * kPageSize}}};
  auto source = MonitorRam::Open(machine.qmp());
  ASSERT_OK(source);
  map.source = *std::move(source);
  const auto memory = LiveMemory::Map(std::move(map));
  ASSERT_OK(memory);
  (*memory)->SetStill(true);
  EXPECT_EQ(DifferentPages(machine, **memory), 0u);
  EXPECT_EQ((*memory)->Write(Pa(0x100000), {}).has_value(), true);
  EXPECT_EQ((*memory)->CheckWritable(Pfn(0x100)).error().code(), ErrorCode::kReadOnly);
}

TEST(PrivateRamOpsTest, WhatIsWrittenIsTheGuests) {
  auto started = HandStarted::Start({.arguments = {}});
  ASSERT_OK(started);
  HandStarted& machine = **started;
  auto frozen = Frozen::Freeze(machine.qmp());
  ASSERT_OK(frozen);
  const auto ops = LiveOps::Open(*frozen, 0);
  ASSERT_OK(ops);
  const Kva at = (*ops)->kernel().symbol_kva("panic_timeout").value();
  const auto pa = (*ops)->kernel().Translate(at);
  ASSERT_OK(pa);
  const OpRequest write = {
      .direction = OpDirection::kWrite,
      .entries = {{.target = SymbolTarget{"panic_timeout"}, .value = U32Value{1234}}}};
  const auto reply = (*ops)->Dispatch(*frozen, write);
  ASSERT_OK(reply);
  EXPECT_TRUE(reply->success) << reply->reason;
  const auto shown = machine.qmp().HumanCommand(fmt::format("xp /1wd {:#x}", pa->value()));
  ASSERT_OK(shown);
  EXPECT_THAT(*shown, HasSubstr(" 1234"));
}

// What `ktstr-capture ARGUMENTS` says, run by `wrapper`; the machine's own connection is given up
// meanwhile.
std::string CaptureBy(HandStarted& machine, const std::string& wrapper,
                      const std::string& arguments) {
  machine.Disconnect();
  const Ran ran = RunInShell(fmt::format("{} {} {}", wrapper, KTSTR_CAPTURE_PROGRAM, arguments));
  EXPECT_EQ(ran.exit_code, 0) << ran.out << ran.err;
  EXPECT_OK(machine.Connect());
  return ran.out + ran.err;
}

// The port of its second monitor, whose chardev QEMU calls compat_monitor1.
std::string PortOf(HandStarted& machine) {
  const auto chardevs = machine.qmp().Execute("query-chardev");
  EXPECT_OK(chardevs);
  for (const auto& chardev : *chardevs) {
    const std::string name = chardev["filename"];
    const size_t tcp = name.find("tcp:127.0.0.1:");
    if (tcp == name.npos) continue;
    const size_t port = name.rfind(':') + 1;
    return name.substr(port, name.find(',', port) - port);
  }
  ADD_FAILURE() << chardevs->dump();
  return "";
}

// How many pages of two archives differ.
size_t DifferentPages(const std::string& one, const std::string& other) {
  auto first = ArchiveReader::Open(one), second = ArchiveReader::Open(other);
  EXPECT_OK(first);
  EXPECT_OK(second);
  const SnapshotMemory a(*std::move(first)), b(*std::move(second));
  EXPECT_TRUE(std::ranges::equal(a.regions(), b.regions()));
  size_t different = 0;
  for (const MemoryRegion& region : a.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const PageView page = a.View(pfn), same = b.View(pfn);
      different +=
          !page.readable() || !same.readable() || !std::ranges::equal(page.bytes(), same.bytes());
    }
  }
  return different;
}

TEST(PrivateRamProgramTest, EveryWayInGivesTheSameMachine) {
  auto started = HandStarted::Start({.arguments = {"-qmp", "tcp:127.0.0.1:0,server=on,wait=off"}});
  ASSERT_OK(started);
  HandStarted& machine = **started;
  const std::string port = PortOf(machine);
  // Root without that capability, as in a container: it may not read QEMU's process.
  const std::string untraced = "setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace";
  const auto file = [&](const char* name) { return std::string(machine.directory() / name); };
  CaptureBy(machine, "", fmt::format("--qmp {} -o {}", machine.qmp_address(), file("process.kts")));
  CaptureBy(machine, "", fmt::format("--qmp localhost:{} -o {}", port, file("tcp.kts")));
  CaptureBy(machine, untraced,
            fmt::format("--qmp {} -o {}", machine.qmp_address(), file("monitor.kts")));
  CaptureBy(machine, untraced,
            fmt::format("--qmp tcp:127.0.0.1:{},server=on --pid {} -o {}", port, machine.pid(),
                        file("monitor-tcp.kts")));
  for (const char* name : {"tcp.kts", "monitor.kts", "monitor-tcp.kts"}) {
    EXPECT_EQ(DifferentPages(file("process.kts"), file(name)), 0u) << name;
  }
}

}  // namespace
}  // namespace ktstr

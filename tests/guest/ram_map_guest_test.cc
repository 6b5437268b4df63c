// A live guest's registers and memory are what QEMU itself says they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cinttypes>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "capture/live_memory.h"
#include "capture/qemu/device_state.h"
#include "capture/qemu/ram_map.h"
#include "libcore/qemu/vcpu_state.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;

// The registers that "info registers -a" shows of one vCPU, such as "RIP=ffffffff81000000".
uint64_t ShownRegister(const std::string& text, uint32_t cpu, const std::string& name) {
  const size_t at = text.find("CPU#" + std::to_string(cpu));
  const size_t found = text.find(name, at);
  uint64_t value = 0;
  std::sscanf(text.c_str() + found + name.size(), "%" SCNx64, &value);
  return value;
}

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

TEST(DeviceStateTest, SavingItChangesNothing) {
  // Booted: one that was woken has been migrated into.
  const auto machine = GuestMachine::Boot(Machine());
  ASSERT_OK(machine);
  QmpClient& qmp = (*machine)->qmp();
  auto frozen = Frozen::Freeze(qmp);
  ASSERT_OK(frozen);
  const std::string before = RunState(qmp);
  const auto first = SaveDeviceState(*frozen);
  ASSERT_OK(first);
  const auto again = SaveDeviceState(*frozen);
  ASSERT_OK(again);
  EXPECT_EQ(*first, *again) << "asked twice within a freeze, the same bytes";
  frozen->saved_device_state() = nullptr;
  const auto anew = SaveDeviceState(*frozen);
  ASSERT_OK(anew);
  EXPECT_EQ(**first, **anew);
  EXPECT_EQ(RunState(qmp), before);
  EXPECT_EQ(qmp.Execute("query-migrate").value(), json::object());
  ASSERT_OK(frozen->Resume());
  EXPECT_EQ(qmp.Execute("query-fdsets").value(), json::array());
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

}  // namespace
}  // namespace ktstr

// A guest with a virtio-mem device that is plugged in part: what it was not given is no memory of
// its, neither zeros nor something that is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "analyze/index/database.h"
#include "analyze/index/index.h"
#include "analyze/memory_sql/memory_source.h"
#include "analyze/memory_sql/memory_sql.h"
#include "analyze/text/output.h"
#include "capture/capture.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using synthetic::TemporaryDirectory;

constexpr char kMemoryUser[] = "/memory_user", kModule[] = "/virtio_mem.ko";
constexpr uint64_t kPlugged = 256 * kMiB, kDevice = 512 * kMiB, kBoot = 512 * kMiB;

// The module of that kernel, decompressed.
fs::path VirtioMemModule(const std::string& kernel, const fs::path& directory) {
  const fs::path root = StockKernel(kernel).parent_path().parent_path();
  for (const auto& entry : fs::recursive_directory_iterator(root / "lib/modules")) {
    const std::string name = entry.path().filename().string();
    if (name == "virtio_mem.ko") return entry.path();
    if (name != "virtio_mem.ko.xz") continue;
    const fs::path module = directory / "virtio_mem.ko";
    const std::string command = "xz -dc " + entry.path().string() + " > " + module.string();
    return std::system(command.c_str()) == 0 ? module : fs::path();
  }
  return {};
}

// The ranges that the guest's kernel has of the device, out of /proc/iomem, as page frames.
std::vector<MemoryRegion> PluggedRanges(const std::string& iomem) {
  std::vector<MemoryRegion> ranges;
  for (size_t at = 0; at < iomem.size(); at = iomem.find('\n', at) + 1) {
    const std::string line = iomem.substr(at, iomem.find('\n', at) - at);
    uint64_t begin = 0, last = 0;
    if (line.ends_with("System RAM (virtio_mem)") &&
        std::sscanf(line.c_str(), " %" SCNx64 "-%" SCNx64, &begin, &last) == 2) {
      ranges.push_back({Pfn::Of(Pa(begin)), Pfn::Of(Pa(last + 1))});
    }
    if (iomem.find('\n', at) == std::string::npos) break;
  }
  return ranges;
}

class VirtioMemGuestTest : public testing::TestWithParam<std::string> {};

TEST_P(VirtioMemGuestTest, WhatIsNotPluggedIsNoMemoryOfTheGuests) {
  TemporaryDirectory directory;
  MachineOptions options = Machine("6.12");
  options.qemu = QemuProgram(GetParam());
  options.memory_bytes = kBoot;
  options.kernel_cmdline = "memhp_default_state=online";
  options.files = {{KTSTR_MEMORY_USER, kMemoryUser, 0755},
                   {VirtioMemModule("6.12", directory.path()), kModule}};
  options.extra_arguments = {"-m",      "512M,maxmem=4G",
                             "-object", "memory-backend-memfd,id=vmem,size=512M,share=on",
                             "-device", "virtio-mem-pci,id=vm0,memdev=vmem,requested-size=256M"};
  const auto machine = GuestMachine::Boot(options);
  ASSERT_OK(machine);
  const auto loaded = (*machine)->RunProgram({kMemoryUser, "module", kModule}, "");
  ASSERT_OK(loaded);
  ASSERT_EQ((*loaded)["status"], 0) << loaded->dump();
  // Each look takes a round trip through the guest.
  std::vector<MemoryRegion> plugged;
  uint64_t pages = 0;
  for (int looks = 0; looks < 1000 && pages * kPageSize < kPlugged; ++looks) {
    const auto iomem = (*machine)->RunProgram({kMemoryUser, "print", "/proc/iomem"}, "");
    ASSERT_OK(iomem);
    plugged = PluggedRanges((*iomem)["stdout"].get<std::string>());
    pages = 0;
    for (const MemoryRegion& range : plugged) pages += range.page_count();
  }
  ASSERT_EQ(pages * kPageSize, kPlugged);

  CaptureOptions capture;
  capture.output = directory / "a.kts";
  capture.pid = (*machine)->qemu().pid();
  const auto summary = Capture((*machine)->qmp(), capture);
  ASSERT_OK(summary);
  EXPECT_THAT(summary->warnings, testing::IsEmpty());
  const auto frozen = FrozenMachine::Open(capture.output);
  ASSERT_OK(frozen);
  uint64_t kept = 0;
  for (const MemoryRegion& region : (*frozen)->archive().regions()) kept += region.page_count();
  // Some of the first MiB is no RAM.
  EXPECT_LE(kept * kPageSize, kBoot + kPlugged);
  EXPECT_GT(kept * kPageSize, kBoot + kPlugged - kMiB);
  const MemoryRegion& device = plugged.front();
  EXPECT_NE((*frozen)->memory().View(device.begin).fate(), PageFate::kOutside);
  EXPECT_EQ((*frozen)->memory().View(plugged.back().end).fate(), PageFate::kOutside);

  const auto index = OpenIndex(capture.output, {.use_file = false});
  ASSERT_OK(index);
  const auto row = index->Query("SELECT fate, pages FROM memory WHERE reason = 'unplugged'");
  ASSERT_OK(row);
  ASSERT_EQ(row->rows.size(), 1u);
  EXPECT_EQ(ToDisplay(row->rows[0][0]), "outside memory");
  EXPECT_EQ(ToDisplay(row->rows[0][1]), std::to_string((kDevice - kPlugged) / kPageSize));

  // What the module knows of its device: by the name of a variable and a type of its own.
  MemorySource memory(FrozenMachine::Open(capture.output).value());
  QueryAnomalies anomalies;
  auto database = Database::InMemory();
  ASSERT_OK(database);
  ASSERT_TRUE(AddMemorySql(*database, memory, anomalies));
  const auto field = database->Query(
      "SELECT field('virtio_mem@virtio_mem', address, 'region_size'), "
      "field('virtio_mem@virtio_mem', address, 'plugged_size') "
      "FROM list('virtio_mem@virtio_mem', symbol_address('virtio_mem_devices'), 'next')");
  ASSERT_OK(field);
  ASSERT_EQ(field->rows.size(), 1u);
  EXPECT_EQ(ToDisplay(field->rows[0][0]), std::to_string(kDevice));
  EXPECT_EQ(ToDisplay(field->rows[0][1]), std::to_string(kPlugged));
}

INSTANTIATE_TEST_SUITE_P(Qemus, VirtioMemGuestTest, testing::Values("installed", "10"),
                         [](const auto& info) { return "Qemu" + info.param; });

}  // namespace
}  // namespace ktstr

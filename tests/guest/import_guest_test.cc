// Proves: QEMU's own dump of a frozen guest, imported, is the same machine as our capture of the
// same moment: every page, every register that QEMU's notes have, every table but the capture's.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "../replay/vmcore/index_differences.h"
#include "capture/capture.h"
#include "capture/freeze.h"
#include "fixtures/sample/save_image_builder.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"
#include "replay/vmcore/import.h"

namespace ktstr {
namespace {

using synthetic::TemporaryDirectory;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

struct QemuDump {
  const char* name;
  const char* format;
  bool paging;
};

// The same pages. QEMU's dumps have more than RAM (ROMs, the screen's memory); with paging they
// lack what no page table leads to.
void ExpectSamePages(const GuestMemory& capture, const GuestMemory& dump, bool paging) {
  uint64_t compared = 0, different = 0, not_there = 0;
  for (const MemoryRegion& region : capture.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const PageView ours = capture.View(pfn), theirs = dump.View(pfn);
      if (!theirs.readable()) {
        ++not_there;
        continue;
      }
      ++compared;
      different += std::memcmp(ours.data(), theirs.data(), kPageSize) != 0;
    }
  }
  EXPECT_EQ(different, 0u);
  EXPECT_GT(compared, 100'000u);
  EXPECT_LE(not_there, paging ? 256u : 0u);
}

void ExpectSameRegisters(std::span<const VcpuRegisters> capture,
                         std::span<const VcpuRegisters> dump) {
  ASSERT_EQ(capture.size(), dump.size());
  for (size_t i = 0; i < capture.size(); ++i) {
    VcpuRegisters expected = capture[i];
    expected.efer = expected.star = expected.lstar = expected.cstar = expected.fmask = 0;
    expected.tsc = 0;
    expected.halted = false;
    expected.unknown = dump[i].unknown;
    EXPECT_EQ(expected, dump[i]) << i;
    EXPECT_FALSE(dump[i].Knows(RegisterGroup::kSystemCalls));
    EXPECT_TRUE(dump[i].Knows(RegisterGroup::kControl));
  }
}

// What a dump of QEMU's does not say, or says otherwise of the same.
const std::set<std::string> kOfCapture = {
    "memory",    "memory_bytes",     "captured_at", "captured_at_ns", "captured_by",
    "trigger",   "trigger_detail",   "accelerator", "vmm_version",    "vmm_machine",
    "run_state", "vmm_command_line", "cpu_feature", "kaslr_method",   "derivation",
    "vcpu.efer", "vcpu.lstar",       "vcpu.mode"};

// In which this QEMU can dump: Debian's of 12 was built without lzo and snappy.
std::vector<std::string> FormatsOf(QmpClient& qmp) {
  const auto answer = qmp.Execute("query-dump-guest-memory-capability");
  if (!answer) return {};
  return (*answer)["formats"].get<std::vector<std::string>>();
}

// Saves the machine as `virsh save` has QEMU do it.
Status MigrateTo(QmpClient& qmp, const std::string& file) {
  KTSTR_TRY(qmp.Execute("migrate", {{"uri", "exec:cat > " + file}}));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (;;) {
    const auto state = KTSTR_TRY(qmp.Execute("query-migrate"));
    if (state["status"] == "completed") return {};
    if (state["status"] == "failed" || std::chrono::steady_clock::now() > deadline) {
      return Fail(ErrorCode::kPeer, state.dump());
    }
  }
}

// A guest at work, frozen, and our capture of it.
class ImportGuestTest : public testing::Test {
 protected:
  void SetUp() override {
    auto machine = BootWithWork(Machine(), "spin:2,sleep:3");
    ASSERT_OK(machine);
    machine_ = *std::move(machine);
    auto frozen = Frozen::Freeze(machine_->qmp());
    ASSERT_OK(frozen);
    frozen_ = *std::move(frozen);
    CaptureOptions capture;
    capture.output = directory_ / "capture.kts";
    capture.pid = machine_->qemu().pid();
    ASSERT_OK(CaptureFrozen(*frozen_, capture));
    auto ours = FrozenMachine::Open(directory_ / "capture.kts");
    ASSERT_OK(ours);
    ours_ = *std::move(ours);
    auto index = OpenIndex(*ours_, {.use_file = false});
    ASSERT_OK(index);
    index_ = *std::move(index);
  }

  const TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  std::optional<Frozen> frozen_;
  std::unique_ptr<FrozenMachine> ours_;
  std::optional<Database> index_;
};

// A guest with more RAM than lies below 4 GiB would be much to write: its blocks are looked at in
// tests of the format.
TEST_F(ImportGuestTest, WhatVirshSavesIsTheSameMachineAsOurCapture) {
  const std::string stream = directory_ / "stream", dump = directory_ / "dump";
  ASSERT_OK(MigrateTo(machine_->qmp(), stream));
  frozen_->Abandon();
  const auto saved = [&](uint32_t compression, const std::string& tool) {
    std::ofstream(dump, std::ios::binary) << synthetic::SaveHeader({.compression = compression});
    EXPECT_EQ(std::system((tool + " < " + stream + " >> " + dump).c_str()), 0) << tool;
  };
  for (const auto& [kind, tool, compression] : {std::tuple("migration stream of QEMU", "cat", 0u),
                                                {"save file of libvirt", "cat", 0u},
                                                {"save file of libvirt (gzip)", "gzip -1", 1u},
                                                {"save file of libvirt (xz)", "xz -0", 3u},
                                                {"save file of libvirt (zstd)", "zstd -1", 5u}}) {
    SCOPED_TRACE(kind);
    const bool alone = std::string_view(kind).starts_with("migration");
    if (!alone) saved(compression, tool);
    const auto opened = vmcore::OpenVmcore({alone ? stream : dump}, {});
    ASSERT_OK(opened);
    EXPECT_EQ(opened->kind, kind);
    ExpectSamePages(ours_->memory(), *opened->memory, false);
    EXPECT_THAT(opened->notes.vcpus, ElementsAreArray(ours_->archive().vcpus()));
    if (alone || compression != 0) continue;
    const auto imported = vmcore::ImportVmcore(*opened, vmcore::CutOff::kRefuse,
                                               directory_ / "import.kts", {.overwrite = true});
    ASSERT_OK(imported);
    EXPECT_THAT(imported->warnings, IsEmpty());
    const auto theirs = FrozenMachine::Open(directory_ / "import.kts");
    ASSERT_OK(theirs);
    EXPECT_EQ((*theirs)->metadata().vmm_machine, ours_->metadata().vmm_machine);
    EXPECT_EQ((*theirs)->metadata().run_state, "running");
    const auto other = OpenIndex(**theirs, {.use_file = false});
    ASSERT_OK(other);
    std::set<std::string> ignored = {"memory",         "memory_bytes",     "captured_at",
                                     "captured_at_ns", "captured_by",      "trigger",
                                     "trigger_detail", "accelerator",      "vmm_version",
                                     "run_state",      "vmm_command_line", "cpu_feature"};
    ignored.insert(kOfTheArchive.begin(), kOfTheArchive.end());
    EXPECT_THAT(IndexDifferences(*index_, *other, ignored), IsEmpty());
  }
}

TEST_F(ImportGuestTest, DumpsOfQemuAreTheSameMachineAsOurCapture) {
  const auto formats = FormatsOf(machine_->qmp());
  ASSERT_TRUE(std::ranges::count(formats, "kdump-zlib"));
  for (const QemuDump& way : {QemuDump{"an ELF core", "elf", false},
                              {"an ELF core with paging", "elf", true},
                              {"zlib", "kdump-zlib", false},
                              {"lzo", "kdump-lzo", false},
                              {"snappy", "kdump-snappy", false}}) {
    SCOPED_TRACE(way.name);
    if (!std::ranges::count(formats, way.format)) continue;
    const std::string dump = directory_ / "dump";
    std::filesystem::remove(dump);
    nlohmann::json arguments = {{"paging", way.paging}, {"protocol", "file:" + dump}};
    if (!way.paging) arguments["format"] = way.format;
    const auto dumped = machine_->qmp().Execute("dump-guest-memory", arguments,
                                                {.timeout = std::chrono::seconds(60)});
    ASSERT_OK(dumped);
    const auto opened = vmcore::OpenVmcore({dump}, {});
    ASSERT_OK(opened);
    const auto imported = vmcore::ImportVmcore(*opened, vmcore::CutOff::kRefuse,
                                               directory_ / "import.kts", {.overwrite = true});
    ASSERT_OK(imported);
    const auto theirs = FrozenMachine::Open(directory_ / "import.kts");
    ASSERT_OK(theirs);
    ExpectSamePages(ours_->memory(), (*theirs)->memory(), way.paging);
    ExpectSameRegisters(ours_->archive().vcpus(), (*theirs)->archive().vcpus());
    const auto other = OpenIndex(**theirs, {.use_file = false});
    ASSERT_OK(other);
    std::set<std::string> ignored = kOfCapture;
    ignored.insert(kOfTheArchive.begin(), kOfTheArchive.end());
    EXPECT_THAT(IndexDifferences(*index_, *other, ignored), IsEmpty());
  }
  frozen_->Abandon();
}

}  // namespace
}  // namespace ktstr

// What is refused before a QEMU is started, and the pieces that need none.
#include "capture/wake/wake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "../device_stream.h"
#include "capture/wake/fill_memory.h"
#include "capture/wake/incoming_stream.h"
#include "capture/wake/qemu_choice.h"
#include "fixtures/sample/sample_guest.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/writer.h"

namespace ktstr {
namespace {

using synthetic::TemporaryDirectory;
using testing::AllOf;
using testing::HasSubstr;

std::vector<std::byte> SomeDevices() {
  return DeviceStream().Device("timer", 0, 2, ContentsBuilder().Zeros(8)).Finish();
}

class WakeTest : public testing::Test {
 protected:
  // Writes the sample guest's archive, changed so, and reads it.
  std::unique_ptr<ArchiveReader> Archive(const std::function<void(ArchiveContents*)>& change) {
    guest_.metadata.kept = "all";
    ArchiveContents contents = {.memory = memory_,
                                .vcpus = guest_.vcpus,
                                .device_state = devices_,
                                .metadata = guest_.metadata};
    if (change) change(&contents);
    const std::string file = directory_ / "x.kts";
    const auto written = WriteArchive(file, contents, {.overwrite = true});
    EXPECT_TRUE(written) << written.error().ToString();
    return *ArchiveReader::Open(file);
  }
  std::string Refusal(const std::function<void(ArchiveContents*)>& change,
                      const WakeOptions& options = {}) {
    const auto woken = WakeMachine(*Archive(change), options);
    if (woken) return "";
    EXPECT_EQ(woken.error().code(), ErrorCode::kUnsupported) << woken.error().ToString();
    return woken.error().ToString();
  }

  TemporaryDirectory directory_;
  synthetic::SampleGuest guest_ = synthetic::MakeSampleGuest();
  synthetic::BufferMemory memory_{{{Pfn(0), Pfn(16)}}};
  std::vector<std::byte> devices_ = SomeDevices();
};

TEST_F(WakeTest, AnArchiveThatLacksWhatIsNeededSaysWhatAndWhatToDo) {
  EXPECT_THAT(Refusal([](ArchiveContents* c) { c->device_state = {}; }),
              HasSubstr("x.kts' cannot be woken: it has no device state"));
  EXPECT_THAT(Refusal([](ArchiveContents* c) {
                c->metadata.kept = "kernel";
                c->filter = FilterByPage([](Pfn) { return LeftOutReason::kFree; });
              }),
              AllOf(HasSubstr("pages of its memory were left out (--keep kernel)"),
                    HasSubstr("--keep all")));
  EXPECT_THAT(Refusal([](ArchiveContents* c) { c->metadata.vmm_version = "Firecracker 1.0"; }),
              HasSubstr("its VMM was 'Firecracker 1.0', not QEMU"));
  EXPECT_THAT(Refusal([](ArchiveContents* c) { c->metadata.arch = "aarch64"; }),
              HasSubstr("'aarch64'"));
}

TEST_F(WakeTest, AVersionOfQemuThatIsNotThereIsNamedWithThoseThatAre) {
  EXPECT_THAT(Refusal([](ArchiveContents* c) { c->metadata.vmm_version = "QEMU 99.1.2"; }),
              AllOf(HasSubstr("the machine ran on QEMU 99.1.2, and no QEMU of that version"),
                    HasSubstr("--qemu PROGRAM")));
  EXPECT_EQ(CompareQemuVersions("QEMU 7.2.22", "7.2.5"), VersionMatch::kSame);
  EXPECT_EQ(CompareQemuVersions("QEMU 7.2.22", "10.0.2"), VersionMatch::kNewer);
  EXPECT_EQ(CompareQemuVersions("QEMU 10.0.2", "7.2.22"), VersionMatch::kOlder);
  EXPECT_EQ(CompareQemuVersions("", "7.2.22"), VersionMatch::kUnknown);
}

TEST_F(WakeTest, AMachineOfKvmsOwnDevicesIsNotForTcg) {
  devices_ = DeviceStream().Device("kvmclock", 0, 1, ContentsBuilder().Zeros(8)).Finish();
  EXPECT_THAT(Refusal([](ArchiveContents* c) { c->metadata.accelerator = "kvm"; },
                      {.accelerator = Accelerator::kTcg}),
              HasSubstr("uses KVM's 'kvmclock', which TCG has not"));
}

TEST(IncomingStreamTest, BeginsWithTheMachinesType) {
  const auto devices = SomeDevices();
  const auto stream = IncomingStream(devices, "pc-q35-7.2");
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->size(), devices.size() + 1 + 4 + 10);
  EXPECT_EQ((*stream)[8], std::byte{7});
  EXPECT_EQ((*stream)[12], std::byte{10});
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(stream->data()) + 13, 10), "pc-q35-7.2");
  EXPECT_EQ((*stream)[23], devices[8]);
  EXPECT_EQ(IncomingStream({}, "q35").error().code(), ErrorCode::kUnsupported);
}

TEST(RamPlacesTest, LowGapsAreClosedWhereTheFileGoesOn) {
  const RamPiece low = {Pfn(0), 0xc0, 0, 0}, high = {Pfn(0x100), 0x100, 0, 0x100000};
  EXPECT_THAT(CloseLowGaps({low, high}), testing::ElementsAre(RamPiece{Pfn(0), 0x200, 0, 0}));
  // Not above 1 MiB, not between files, not where the file does not go on.
  const RamPiece above = {Pfn(0x300), 0x10, 0, 0x300000};
  EXPECT_THAT(CloseLowGaps({high, above}), testing::ElementsAre(high, above));
  const RamPiece other = {Pfn(0x100), 0x100, 1, 0x100000};
  EXPECT_THAT(CloseLowGaps({low, other}), testing::ElementsAre(low, other));
  const RamPiece elsewhere = {Pfn(0x100), 0x100, 0, 0x200000};
  EXPECT_THAT(CloseLowGaps({low, elsewhere}), testing::ElementsAre(low, elsewhere));
}

TEST(RamPlacesTest, RamThatTheMachineHasNotIsNamed) {
  const std::vector<RamPiece> pieces = {{Pfn(0), 0x100, 0, 0}};
  const MemoryRegion inside = {Pfn(0), Pfn(0x100)}, beyond = {Pfn(0x80), Pfn(0x200)};
  EXPECT_TRUE(CheckRamCovers(pieces, {&inside, 1}));
  const auto missing = CheckRamCovers(pieces, {&beyond, 1});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message(), AllOf(HasSubstr("0x100000"), HasSubstr("0x200000")));
  const std::vector<RamPiece> moved = {{Pfn(0), 0x100, 0, 0x1000}};
  EXPECT_TRUE(SamePlaces(pieces, pieces, {&inside, 1}));
  EXPECT_FALSE(SamePlaces(pieces, moved, {&inside, 1}));
  EXPECT_FALSE(SamePlaces(pieces, pieces, {&beyond, 1}));
}

TEST(RemarkOnStateTest, NamesWhatIsNoMachineThatRuns) {
  EXPECT_EQ(RemarkOnState("running"), "");
  EXPECT_EQ(RemarkOnState("paused"), "");
  EXPECT_EQ(RemarkOnState("debug"), "");
  EXPECT_EQ(RemarkOnState(""), "");
  EXPECT_THAT(RemarkOnState("shutdown"), testing::HasSubstr("switched it off or reset it"));
  EXPECT_THAT(RemarkOnState("guest-panicked"), testing::HasSubstr("its kernel had panicked"));
}

}  // namespace
}  // namespace ktstr

// Proves: a machine that was exported and imported again is the same machine.
#include <gmock/gmock.h>

#include "dumps.h"
#include "replay/snapshot_memory.h"

namespace ktstr::vmcore {
namespace {

using synthetic::SameMemory;
using synthetic::SamePage;
using synthetic::SampleGuest;
using ::testing::HasSubstr;

struct Way {
  const char* name;
  ExportFormat format;
  PageCompression compression = PageCompression::kZstd;
  bool stream = false;
};

class RoundTripTest : public DumpTest, public testing::WithParamInterface<Way> {
 protected:
  ExportOptions options() const {
    return {.format = GetParam().format, .compression = GetParam().compression};
  }
  void ExportIt(const std::string& name) {
    const auto done = GetParam().stream ? ExportToStream(name, options()) : Export(name, options());
    ASSERT_TRUE(done) << done.error().ToString();
  }
};

TEST_P(RoundTripTest, KeepsPagesAndWhyThereAreNoneAndRegisters) {
  const SampleGuest guest = synthetic::MakeSampleGuest();
  Archive(guest.contents());
  ASSERT_NO_FATAL_FAILURE(ExportIt("dump"));
  const auto imported = Import({"dump"}, "b.kts");
  ASSERT_TRUE(imported) << imported.error().ToString();
  const auto before = ArchiveReader::Open(Path("a.kts")),
             after = ArchiveReader::Open(Path("b.kts"));
  ASSERT_TRUE(after) << after.error().ToString();
  EXPECT_TRUE(SameMemory(*Opened("a.kts"), *Opened("b.kts")));
  EXPECT_TRUE(std::ranges::equal((*before)->vcpus(), (*after)->vcpus()));
  ArchiveMetadata expected = (*before)->metadata();
  expected.parent_digest = (*before)->digest();
  expected.tags["imported"] = (*after)->metadata().tags.at("imported");
  EXPECT_EQ((*after)->metadata(), expected);
  // Devices' state is in no dump.
  EXPECT_TRUE((*after)->ReadDeviceState()->empty());
}

TEST_P(RoundTripTest, OfAMachineWithoutRegistersOrRepeatedPages) {
  const synthetic::BufferMemory memory = synthetic::MakeRandomMemory(3000, 7);
  Archive({.memory = memory});
  ASSERT_NO_FATAL_FAILURE(ExportIt("dump"));
  const auto imported = Import({"dump"}, "b.kts");
  ASSERT_TRUE(imported) << imported.error().ToString();
  EXPECT_TRUE(SameMemory(*Opened("a.kts"), *Opened("b.kts")));
}

INSTANTIATE_TEST_SUITE_P(
    As, RoundTripTest,
    testing::Values(Way{"Elf", ExportFormat::kElf},
                    Way{"ElfThroughAPipe", ExportFormat::kElf, PageCompression::kZstd, true},
                    Way{"KdumpZstd", ExportFormat::kKdump},
                    Way{"KdumpZlib", ExportFormat::kKdump, PageCompression::kZlib},
                    Way{"KdumpFlattened", ExportFormat::kKdump, PageCompression::kZlib, true}),
    [](const auto& way) { return std::string(way.param.name); });

// Memory of which every other page is there, and takes up none of ours.
class StripedMemory : public GuestMemory {
 public:
  explicit StripedMemory(uint64_t pages) : region_{Pfn(0), Pfn(pages)} {}
  std::span<const MemoryRegion> regions() const override { return {&region_, 1}; }
  PageView View(Pfn pfn) const override {
    if (!region_.Contains(pfn)) return PageView::Outside();
    return pfn.value() % 2 == 0 ? PageView::Zero() : PageView::NotCaptured(LeftOutReason::kFree);
  }
  Result<std::byte*> Writable(Pfn) override { return Fail(ErrorCode::kReadOnly, "striped"); }

 private:
  MemoryRegion region_;
};

// Their number does not fit into the ELF header then.
TEST_F(DumpTest, OfMoreSegmentsThanAnElfHeaderCounts) {
  const StripedMemory memory(2 * 70'000);
  Archive({.memory = memory});
  ASSERT_TRUE(Export("dump", {.format = ExportFormat::kElf}));
  const auto imported = Import({"dump"}, "b.kts");
  ASSERT_TRUE(imported) << imported.error().ToString();
  EXPECT_EQ(imported->archive.zero_pages, 70'000u);
  EXPECT_TRUE(SameMemory(memory, *Opened("b.kts")));
}

// Pages that are all there, as raw RAM needs it.
synthetic::BufferMemory WholeMemory() {
  synthetic::BufferMemory memory(64 * kPageSize);
  for (uint64_t i = 0; i < 64; i += 3) FillRandom(memory, Pfn(i), i);
  return memory;
}

class RawTest : public DumpTest {};

TEST_F(RawTest, IsTheBytesOfRam) {
  const synthetic::BufferMemory memory = WholeMemory();
  Archive({.memory = memory});
  const auto done = Export("ram", {.format = ExportFormat::kRaw});
  ASSERT_TRUE(done) << done.error().ToString();
  const std::vector<char> bytes = BytesOf(Path("ram"));
  ASSERT_EQ(bytes.size(), 64 * kPageSize);
  for (uint64_t i = 0; i < 64; ++i) {
    EXPECT_EQ(std::memcmp(bytes.data() + i * kPageSize, memory.View(Pfn(i)).data(), kPageSize), 0);
  }
  ASSERT_TRUE(Import({"ram"}, "b.kts", {.raw = true}));
  EXPECT_TRUE(SameMemory(memory, *Opened("b.kts")));
}

// As a memory backend of QEMU's has RAM on both sides of the hole below 4 GiB.
TEST_F(RawTest, BelongsWhereItIsSaid) {
  Archive({.memory = WholeMemory()});
  ASSERT_TRUE(Export("ram", {.format = ExportFormat::kRaw}));
  const auto low = ParseRawRange("0:128K"), high = ParseRawRange("0x100000000:0x20000@128K");
  ASSERT_TRUE(low && high);
  ASSERT_TRUE(Import({"ram"}, "b.kts", {.raw = true, .ranges = {*high, *low}}));
  const auto archive = ArchiveReader::Open(Path("b.kts"));
  const MemoryRegion expected[] = {{Pfn(0), Pfn(32)}, {Pfn(0x100000), Pfn(0x100020)}};
  EXPECT_TRUE(std::ranges::equal((*archive)->regions(), expected));
  EXPECT_TRUE(SamePage(Opened("b.kts")->View(Pfn(0x100001)), WholeMemory().View(Pfn(33))));
}

TEST_F(RawTest, IsNotMadeOfWhatIsNotThere) {
  Archive(synthetic::MakeSampleGuest().contents());
  const auto done = Export("ram", {.format = ExportFormat::kRaw});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::kUnreadable);
  EXPECT_THAT(done.error().message(), HasSubstr("user data"));
  EXPECT_FALSE(std::filesystem::exists(Path("ram")));
}

TEST_F(RawTest, RangesAreSaidInPages) {
  for (const char* wrong : {"", "0", "0:", "0:0", "1:4K", "0:4097", "0:4K@1", "x:4K", "0:4K@",
                            "0xffffffffffffe000:8K", "0:4K@0xffffffffffffff000"}) {
    EXPECT_FALSE(ParseRawRange(wrong)) << wrong;
  }
  EXPECT_EQ(*ParseRawRange("4G:2G@2G"),
            (RawRange{uint64_t{4} << 30, uint64_t{2} << 30, uint64_t{2} << 30}));
}

}  // namespace
}  // namespace ktstr::vmcore

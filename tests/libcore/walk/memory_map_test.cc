// Where struct pages are, in memory of which somebody says that it is larger than any.
#include "libcore/walk/memory/memory_map.h"

#include "fixtures/synthetic/page_map_builder.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

// A guest's memory with one more page, far behind all others.
class FarMemory : public GuestMemory {
 public:
  FarMemory(const GuestMemory& memory, Pfn far)
      : memory_(memory), regions_(memory.regions().begin(), memory.regions().end()) {
    regions_.push_back({far, far + 1});
  }
  std::span<const MemoryRegion> regions() const override { return regions_; }
  PageView View(Pfn pfn) const override {
    return regions_.back().Contains(pfn) ? PageView::Damaged() : memory_.View(pfn);
  }
  Result<std::byte*> Writable(Pfn) override { return Fail(ErrorCode::kReadOnly, "a test's"); }

 private:
  const GuestMemory& memory_;
  std::vector<MemoryRegion> regions_;
};

class MemoryMapTest : public testing::Test {
 protected:
  Result<MemoryMap> MapWith(Pfn far) {
    map_.Finish();
    const synthetic::SyntheticGuest guest = builder_.Finish();
    FarMemory memory(*guest.memory, far);
    const auto kernel = GuestKernel::Open(memory, guest.vcpus).value();
    return MemoryMap::Of(*kernel, builder_.SizeOf("page"));
  }
  // The first frame of a section.
  Pfn Section(uint64_t number) const { return Pfn(number * map_.section_pages()); }
  // As many sections of 128 MiB as 52 bits of physical address have.
  static constexpr uint64_t kSections = uint64_t{1} << 25;

  synthetic::KernelBuilder builder_;
  synthetic::PageMapBuilder map_{builder_, synthetic::PageMarks::kByte};
};

TEST_F(MemoryMapTest, ASectionThatIsFarAwayHasNoStructPages) {
  const auto map = MapWith(Section(kSections - 1));
  ASSERT_TRUE(map) << map.error().ToString();
  EXPECT_TRUE(map->Has(Pfn(1)));
  EXPECT_FALSE(map->Has(Section(kSections - 1)));
}

TEST_F(MemoryMapTest, NoRoomIsMadeForSectionsThatCannotBe) {
  EXPECT_EQ(MapWith(Section(kSections)).error().code(), ErrorCode::kDamaged);
}

}  // namespace
}  // namespace ktstr

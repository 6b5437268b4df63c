#include "libcore/paging/arm64_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures/synthetic/arm64_page_tables.h"

namespace ktstr {
namespace {

using synthetic::Arm64PageTables;
using synthetic::Arm64Shape;
using synthetic::BufferMemory;
using ::testing::HasSubstr;

constexpr uint64_t kMebibyte = 1 << 20;
// QEMU's virt machine: RAM does not begin at 0.
constexpr Pa kDramBase(0x40000000);
constexpr uint64_t kRam = 64 * kMebibyte;
constexpr Pa kTablePool = kDramBase + 32 * kMebibyte;

struct Variant {
  const char* name;
  Arm64Shape shape;
};

// Every claim below holds for all of them.
class Arm64TablesTest : public ::testing::TestWithParam<Variant> {
 protected:
  Arm64TablesTest()
      : memory_({{Pfn::Of(kDramBase), Pfn::Of(kDramBase + kRam)}}),
        shape_(GetParam().shape),
        tables_(memory_, kTablePool, shape_),
        paging_(Arm64Paging::FromTcr(shape_.Tcr()).value()),
        // PAGE_OFFSET is the begin of the kernel's half (arch/arm64/include/asm/memory.h).
        page_offset_(~uint64_t{0} << shape_.va_bits),
        space_(memory_, tables_.root(), paging_, {page_offset_, kDramBase}) {}

  uint64_t granule() const { return uint64_t{1} << shape_.granule_shift; }
  // An address high in the vmalloc area, aligned to every block there is but the largest.
  Kva Vmalloc() const { return Kva(~uint64_t{0} << (shape_.va_bits - 1)); }

  BufferMemory memory_;
  Arm64Shape shape_;
  Arm64PageTables tables_;
  Arm64Paging paging_;
  Kva page_offset_;
  Arm64AddressSpace space_;
};

INSTANTIATE_TEST_SUITE_P(
    Shapes, Arm64TablesTest,
    ::testing::Values(Variant{"4KiB48", {12, 48}}, Variant{"4KiB39", {12, 39}},
                      Variant{"4KiB52", {12, 52, true}}, Variant{"16KiB48", {14, 48}},
                      Variant{"16KiB47", {14, 47}}, Variant{"16KiB52", {14, 52, true}},
                      Variant{"64KiB48", {16, 48}}, Variant{"64KiB42", {16, 42}},
                      Variant{"64KiB52", {16, 52}}),
    [](const auto& variant) { return "Granule" + std::string(variant.param.name); });

TEST_P(Arm64TablesTest, TcrTellsTheShape) {
  EXPECT_EQ(paging_.granule_shift, shape_.granule_shift);
  EXPECT_EQ(paging_.va_bits, shape_.va_bits);
  EXPECT_EQ(paging_.levels(), shape_.levels());
  EXPECT_EQ(paging_.kernel_half(), page_offset_);
}

TEST_P(Arm64TablesTest, TranslatesPages) {
  const Kva va = Vmalloc() + 5 * granule();
  tables_.Map(va, kDramBase + 3 * granule());
  tables_.Map(va + granule(), kDramBase + 2 * granule());
  EXPECT_EQ(space_.Translate(va + 0x123), kDramBase + 3 * granule() + 0x123);
  EXPECT_EQ(space_.Translate(va + granule() + granule() - 1),
            kDramBase + 2 * granule() + granule() - 1);
  EXPECT_EQ(space_.Walk(va)->page_size, granule());
}

TEST_P(Arm64TablesTest, TranslatesTheTopmostPage) {
  const Kva va = Kva(0) - granule();
  tables_.Map(va, kDramBase);
  EXPECT_EQ(space_.Translate(Kva(~uint64_t{0})), kDramBase + granule() - 1);
}

TEST_P(Arm64TablesTest, TranslatesLevel2Blocks) {
  const uint64_t size = tables_.SpanOf(2);
  const Kva va = Vmalloc() + size;
  // A block beyond this guest's RAM: its translation does not need the memory.
  tables_.Map(va, Pa(7 * size), 2);
  EXPECT_EQ(space_.Walk(va + size - 1)->pa, Pa(8 * size - 1));
  EXPECT_EQ(space_.Walk(va)->page_size, size);
}

TEST_P(Arm64TablesTest, LinearAddressesCountFromTheDramBase) {
  EXPECT_EQ(space_.Translate(page_offset_ + 0x1234), kDramBase + 0x1234);
  EXPECT_EQ(space_.Translate(page_offset_ + kRam - 1), kDramBase + kRam - 1);
  EXPECT_EQ(space_.Translate(page_offset_ + kRam).error().code(), ErrorCode::kUnmapped);
}

TEST_P(Arm64TablesTest, WhatIsNotMappedIsSaidWithItsLevel) {
  const Kva va = Vmalloc();
  EXPECT_THAT(space_.Translate(va).error().ToString(),
              HasSubstr("level " + std::to_string(4 - paging_.levels())));
  tables_.Map(va, kDramBase);
  const auto next = space_.Translate(va + granule());
  EXPECT_EQ(next.error().code(), ErrorCode::kUnmapped);
  EXPECT_THAT(next.error().ToString(), HasSubstr("level 3"));
  EXPECT_EQ(space_.Translate(Kva(0x1000)).error().code(), ErrorCode::kUnmapped);
  EXPECT_EQ(space_.Translate(page_offset_ - 1).error().code(), ErrorCode::kUnmapped);
}

TEST_P(Arm64TablesTest, ABlockAtTheLastLevelIsReserved) {
  tables_.SetDescriptor(Vmalloc(), 3, tables_.Encode(kDramBase) | 1);
  EXPECT_EQ(space_.Translate(Vmalloc()).error().code(), ErrorCode::kUnmapped);
}

TEST_P(Arm64TablesTest, ATableOutsideMemoryIsAnErrorOfItsOwn) {
  tables_.SetDescriptor(Vmalloc(), 2, tables_.Encode(Pa(0x10000)) | 3);
  const auto pa = space_.Translate(Vmalloc());
  ASSERT_FALSE(pa);
  EXPECT_EQ(pa.error().code(), ErrorCode::kOutOfRange);
}

TEST(Arm64BlocksTest, LargeBlocksAreForTheGranulesThatHaveThem) {
  const auto walk = [](Arm64Shape shape, int level) {
    BufferMemory memory({{Pfn::Of(kDramBase), Pfn::Of(kDramBase + kRam)}});
    Arm64PageTables tables(memory, kTablePool, shape);
    const Kva va(~uint64_t{0} << (shape.va_bits - 1));
    tables.Map(va, Pa(0), level);
    const Arm64AddressSpace space(memory, tables.root(), *Arm64Paging::FromTcr(shape.Tcr()), {});
    const auto walked = space.Walk(va);
    return walked ? walked->page_size : 0;
  };
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  EXPECT_EQ(walk({12, 48}, 1), kGiB);
  EXPECT_EQ(walk({12, 48}, 0), 0u);
  EXPECT_EQ(walk({12, 52, true}, 0), 512 * kGiB);
  EXPECT_EQ(walk({14, 48}, 1), 0u);
  EXPECT_EQ(walk({14, 52, true}, 1), 64 * kGiB);
  EXPECT_EQ(walk({16, 52}, 1), 4096 * kGiB);
}

TEST(Arm64WideTest, PhysicalAddressesOf52BitsAreReadFromWhereTheyStand) {
  constexpr Pa kHigh(0x000d'4000'0000'0000);
  for (const Arm64Shape shape : {Arm64Shape{12, 52, true}, {14, 52, true}, {16, 52}, {16, 48}}) {
    BufferMemory memory({{Pfn::Of(kDramBase), Pfn::Of(kDramBase + kRam)}});
    Arm64PageTables tables(memory, kTablePool, shape);
    const Kva va(~uint64_t{0} << (shape.va_bits - 1));
    tables.Map(va, kHigh);
    const auto paging = Arm64Paging::FromTcr(shape.Tcr());
    const Arm64AddressSpace space(memory, tables.root(), *paging, {});
    EXPECT_EQ(space.Walk(va + 0x10)->pa, kHigh + 0x10) << shape.granule_shift;
  }
}

TEST(Arm64TcrTest, WhatTheArchitectureDoesNotHaveIsRefused) {
  constexpr uint64_t k4KiB = uint64_t{2} << 30, k64KiB = uint64_t{3} << 30;
  const auto code = [](uint64_t tcr) {
    const auto paging = Arm64Paging::FromTcr(tcr);
    return paging ? std::string("accepted") : std::string(ErrorCodeName(paging.error().code()));
  };
  const std::string unsupported(ErrorCodeName(ErrorCode::kUnsupported));
  EXPECT_EQ(code(uint64_t{16} << 16), unsupported) << "TG1 0";
  EXPECT_EQ(code(k4KiB | uint64_t{16} << 16), "accepted");
  EXPECT_EQ(code(k4KiB | uint64_t{12} << 16), unsupported) << "52 bits of 4 KiB without DS";
  EXPECT_EQ(code(k4KiB | uint64_t{12} << 16 | uint64_t{1} << 59), "accepted");
  EXPECT_EQ(code(k64KiB | uint64_t{12} << 16), "accepted");
  EXPECT_EQ(code(k64KiB | uint64_t{11} << 16), unsupported);
  EXPECT_EQ(code(k4KiB), unsupported) << "64 bits";
  EXPECT_EQ(code(k4KiB | uint64_t{63} << 16), unsupported) << "1 bit";
}

TEST(Arm64TcrTest, TheRootIsTtbr1WithoutAsidAndFlags) {
  const Arm64Paging paging;
  EXPECT_EQ(paging.RootOf(0x00ab'0000'4120'0001), Pa(0x41200000));
  EXPECT_EQ(paging.RootOf(0x0000'0000'4120'0000 | 0xd << 2), Pa(0x000d'0000'4120'0000));
}

}  // namespace
}  // namespace ktstr

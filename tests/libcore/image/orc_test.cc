#include "libcore/image/orc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures/synthetic/orc_builder.h"

namespace ktstr {
namespace {

using synthetic::BtfBuilder;
using synthetic::OrcBuilder;
using synthetic::OrcStyle;

constexpr Kva kText(0xffffffff81000000);
constexpr Kva kIps(0xffffffff82345678);

// A kernel's types and a table of ours in its format.
class OrcTest : public ::testing::TestWithParam<OrcStyle> {
 protected:
  void Add(uint64_t offset, const OrcEntry& entry) { orc_.Add(kText + offset, entry); }
  OrcFormat Format() {
    OrcFormat format = OrcFormat::From(TypeInfo::Parse(types_.Build()).value()).value();
    EXPECT_TRUE(format.LearnNumbering(orc_.NullEntry()));
    return format;
  }
  OrcTable Table() {
    return OrcTable::Parse(Format(), kIps, orc_.Ips(kIps), orc_.Entries()).value();
  }
  // The entry as this kernel can say it.
  OrcEntry AsTold(OrcEntry entry) {
    if (GetParam() == OrcStyle::kWithoutSignal) {
      entry.signal = entry.type == OrcType::kRegs || entry.type == OrcType::kRegsPartial;
    }
    return entry;
  }

  BtfBuilder types_;
  OrcBuilder orc_{types_, GetParam()};
};

TEST_P(OrcTest, EveryEntryReadsAsItWasWritten) {
  const OrcEntry entries[] = {
      {.sp_offset = 16, .sp_reg = OrcRegister::kSp, .type = OrcType::kCall},
      {.sp_offset = 16,
       .bp_offset = -16,
       .sp_reg = OrcRegister::kBp,
       .bp_reg = OrcRegister::kPrevSp,
       .type = OrcType::kCall},
      {.sp_offset = -8, .sp_reg = OrcRegister::kSpIndirect, .type = OrcType::kCall},
      {.sp_reg = OrcRegister::kR13, .type = OrcType::kCall, .signal = true},
      {.sp_offset = 0, .sp_reg = OrcRegister::kSp, .type = OrcType::kRegs, .signal = true},
      {.sp_offset = 8, .sp_reg = OrcRegister::kSp, .type = OrcType::kRegsPartial, .signal = true},
      {.type = OrcType::kEndOfStack},
      {.type = OrcType::kUndefined},
      {.sp_reg = OrcRegister::kBpIndirect, .type = OrcType::kCall},
      {.sp_reg = OrcRegister::kDx, .type = OrcType::kCall},
      {.sp_reg = OrcRegister::kR10, .type = OrcType::kCall},
      {.sp_offset = INT16_MAX,
       .bp_offset = INT16_MIN,
       .sp_reg = OrcRegister::kDi,
       .bp_reg = OrcRegister::kBp,
       .type = OrcType::kCall},
  };
  for (size_t i = 0; i < std::size(entries); ++i) Add(i * 16, entries[i]);
  const OrcTable table = Table();
  EXPECT_EQ(table.size(), std::size(entries));
  for (size_t i = 0; i < std::size(entries); ++i) {
    EXPECT_EQ(table.Find(kText + i * 16), AsTold(entries[i])) << "entry " << i;
  }
}

TEST_P(OrcTest, AnEntryCoversAllUpToTheNext) {
  const OrcEntry first = {.sp_offset = 8, .sp_reg = OrcRegister::kSp, .type = OrcType::kCall};
  const OrcEntry second = {.sp_offset = 24, .sp_reg = OrcRegister::kSp, .type = OrcType::kCall};
  Add(0x10, first);
  Add(0x40, second);
  const OrcTable table = Table();
  EXPECT_EQ(table.Find(kText + 0xf), std::nullopt);
  EXPECT_EQ(table.Find(kText + 0x10), first);
  EXPECT_EQ(table.Find(kText + 0x3f), first);
  EXPECT_EQ(table.Find(kText + 0x40), second);
  EXPECT_EQ(table.Find(kText + 0x123456), second);
}

TEST_P(OrcTest, OfSeveralEntriesAtOneAddressTheLastCounts) {
  const OrcEntry function = {.sp_offset = 8, .sp_reg = OrcRegister::kSp, .type = OrcType::kCall};
  Add(0, function);
  Add(0x40, {.type = OrcType::kUndefined});  // what ends a section
  Add(0x40, function);
  EXPECT_EQ(Table().Find(kText + 0x40), function);
}

TEST_P(OrcTest, TablesOfDifferentLengthAreDamage) {
  Add(0, {});
  Add(1, {});
  auto entries = orc_.Entries();
  entries.resize(entries.size() / 2);
  const auto table = OrcTable::Parse(Format(), kIps, orc_.Ips(kIps), entries);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code(), ErrorCode::kDamaged);
}

TEST_P(OrcTest, ATableThatIsNotInOrderIsDamage) {
  Add(0, {});
  Add(0x100, {});
  auto ips = orc_.Ips(kIps);
  std::rotate(ips.begin(), ips.begin() + 4, ips.end());
  const auto table = OrcTable::Parse(Format(), kIps, ips, orc_.Entries());
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code(), ErrorCode::kDamaged);
}

TEST_P(OrcTest, AnEmptyTableCoversNothing) { EXPECT_EQ(Table().Find(kText), std::nullopt); }

INSTANTIATE_TEST_SUITE_P(Styles, OrcTest,
                         ::testing::Values(OrcStyle::kWithHeader, OrcStyle::kRenumbered,
                                           OrcStyle::kWithEnd, OrcStyle::kWithoutSignal));

// The very bytes of two kernels' own entries, 6.12's and 7.3's.
TEST(OrcFormatTest, TheKernelsOwnEntriesTellHowRegistersAreNumbered) {
  BtfBuilder types;
  // struct orc_entry of arch/x86/include/asm/orc_types.h.
  types.PackedStruct("orc_entry", {{"s16", "sp_offset"},
                                   {"s16", "bp_offset"},
                                   {"u32:4", "sp_reg"},
                                   {"u32:4", "bp_reg"},
                                   {"u32:3", "type"},
                                   {"u32:1", "signal"}});
  const TypeInfo info = TypeInfo::Parse(types.Build()).value();
  const auto bytes = [](std::initializer_list<int> values) {
    std::vector<std::byte> made;
    for (const int value : values) made.push_back(std::byte(value));
    return made;
  };
  const OrcEntry by_frame_pointer = {.sp_offset = 16,
                                     .bp_offset = -16,
                                     .sp_reg = OrcRegister::kBp,
                                     .bp_reg = OrcRegister::kPrevSp,
                                     .type = OrcType::kCall};
  for (const auto& [null_entry, fp_entry] :
       {std::pair(bytes({8, 0, 0, 0, 0x05, 0x02}), bytes({0x10, 0, 0xf0, 0xff, 0x14, 0x02})),
        std::pair(bytes({8, 0, 0, 0, 0x03, 0x02}), bytes({0x10, 0, 0xf0, 0xff, 0x84, 0x02}))}) {
    OrcFormat format = OrcFormat::From(info).value();
    ASSERT_TRUE(format.LearnNumbering(null_entry));
    EXPECT_EQ(format.Decode(null_entry),
              (OrcEntry{.sp_offset = 8, .sp_reg = OrcRegister::kSp, .type = OrcType::kCall}));
    EXPECT_EQ(format.Decode(fp_entry), by_frame_pointer);
  }
  OrcFormat format = OrcFormat::From(info).value();
  const auto status = format.LearnNumbering(bytes({8, 0, 0, 0, 0x07, 0x02}));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), ErrorCode::kUnsupported);
}

TEST(OrcFormatTest, AKernelWithoutOrcHasNoFormat) {
  BtfBuilder types;
  types.Struct("something_else", {{"int", "member"}});
  const auto format = OrcFormat::From(TypeInfo::Parse(types.Build()).value());
  ASSERT_FALSE(format);
  EXPECT_EQ(format.error().code(), ErrorCode::kNotFound);
}

TEST(OrcFormatTest, AnEntryThatIsLargerThanAnyIsDamage) {
  BtfBuilder types;
  types.PackedStruct("orc_entry", {{"s16", "sp_offset"},
                                   {"s16", "bp_offset"},
                                   {"u32:4", "sp_reg"},
                                   {"u32:4", "bp_reg"},
                                   {"u32:3", "type"},
                                   {"u64[100000000]", "more"}});
  const auto format = OrcFormat::From(TypeInfo::Parse(types.Build()).value());
  ASSERT_FALSE(format);
  EXPECT_EQ(format.error().code(), ErrorCode::kDamaged);
}

}  // namespace
}  // namespace ktstr

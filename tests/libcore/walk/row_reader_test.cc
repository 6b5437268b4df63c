// Columns that are copies of members: what a table declares is what its reader finds and reads.
#include "libcore/walk/row/row_reader.h"

#include "walk_guest.h"

namespace ktstr {
namespace {

using ::testing::HasSubstr;

struct Part {
  std::optional<int64_t> deep;
};

struct SampleRow {
  std::optional<int64_t> narrow, negative, bits, renamed, zero, of_part;
  std::optional<Hex> word;
  std::optional<std::string> name, no_name;
  std::optional<int64_t> only_elsewhere, gone, of_no_part, of_no_structure;
  Part part;

  static const RowTable<SampleRow>& Table();
};

const RowTable<SampleRow>& SampleRow::Table() {
  using R = SampleRow;
  static const RowTable<R> table(
      "sample", "A structure of this test's.", Structure{"sample"},
      {
          ReadCol<&R::narrow>("narrow", "", "", At("narrow")),
          ReadCol<&R::negative>("negative", "", "", At("negative")),
          ReadCol<&R::bits>("bits", "", "", At("bits")),
          ReadCol<&R::renamed>("renamed", "", "", At("old_name", "new_name")),
          ReadCol<&R::zero>("zero", "", "", At("zero").Unless(0)),
          ReadCol<&R::word>("word", "", "", At("word")),
          ReadCol<&R::name>("name", "", "", At("name").Unless(0)),
          ReadCol<&R::no_name>("no_name", "", "", At("no_name").Unless(0)),
          ReadCol<&R::of_part>("of_part", "", "", At("b").Of(Structure{"sample", "inner"})),
          ReadSub<&R::part, &Part::deep>("deep", "", "", At("inner.a")),
          ReadCol<&R::only_elsewhere>("only_elsewhere", "", "", MaybeAt("not_here")),
          ReadCol<&R::gone>("gone", "", "", At("gone", "gone_too")),
          ReadCol<&R::of_no_part>("of_no_part", "", "", At("x").Of(Structure{"sample", "no_part"})),
          ReadCol<&R::of_no_structure>("of_no_structure", "", "",
                                       At("x").Of({.name = "no_such", .optional = true})),
      });
  return table;
}

class RowReaderTest : public ::testing::Test {
 protected:
  RowReaderTest() {
    synthetic::BtfBuilder& types = guest_.builder().types();
    types.Struct("sample_inner", {{"u32", "a"}, {"u32", "b"}});
    types.Struct("sample", {{"u8", "narrow"},
                            {"u8", "beside"},
                            {"s16", "negative"},
                            {"u32:3", "other_bits"},
                            {"u32:5", "bits"},
                            {"int", "word"},
                            {"u64", "new_name"},
                            {"u64", "zero"},
                            {"char[8]", "name"},
                            {"char[8]", "no_name"},
                            {"sample_inner", "inner"}});
    object_ = guest_.builder().Allocate(guest_.builder().SizeOf("sample"));
  }
  void Set(std::string_view member, uint64_t value) {
    guest_.builder().Set("sample", object_, member, value);
  }
  SampleRow Read() {
    const Walk walk = guest_.Begin(anomalies_);
    CellReader object(walk, object_, "a sample");
    SampleRow row;
    RowReader<SampleRow>(walk).Read(object, row);
    return row;
  }

  WalkGuest guest_;
  Kva object_;
  Anomalies anomalies_{"test"};
};

TEST_F(RowReaderTest, WidthSignAndBitsAreThoseOfTheKernelsTypes) {
  Set("narrow", 200);
  Set("beside", 255);
  Set("negative", static_cast<uint16_t>(-3));
  Set("other_bits", 7);
  Set("bits", 17);
  Set("word", 0x80000001);
  const SampleRow row = Read();
  EXPECT_EQ(row.narrow, 200);
  EXPECT_EQ(row.negative, -3);
  EXPECT_EQ(row.bits, 17);
  EXPECT_EQ(row.word, Hex(0x80000001));
}

TEST_F(RowReaderTest, MembersAreFoundUnderLaterNamesAndInPartsOfTheStructure) {
  Set("new_name", 5);
  Set("inner.a", 6);
  Set("inner.b", 7);
  const SampleRow row = Read();
  EXPECT_EQ(row.renamed, 5);
  EXPECT_EQ(row.part.deep, 6);
  EXPECT_EQ(row.of_part, 7);
}

TEST_F(RowReaderTest, ValuesThatStandForNothingAreUnknown) {
  guest_.builder().SetText("sample", object_, "name", "abc");
  const SampleRow row = Read();
  EXPECT_EQ(row.zero, std::nullopt);
  EXPECT_EQ(row.name, "abc");
  EXPECT_EQ(row.no_name, std::nullopt);
}

TEST_F(RowReaderTest, OnlyANeededMemberOfAStructureThatIsThereIsMissed) {
  const SampleRow row = Read();
  for (const auto& cell : {row.only_elsewhere, row.gone, row.of_no_part, row.of_no_structure}) {
    EXPECT_EQ(cell, std::nullopt);
  }
  ASSERT_EQ(anomalies_.rows().size(), 1u);
  EXPECT_EQ(anomalies_.rows()[0].kind, "no member");
  EXPECT_THAT(anomalies_.rows()[0].detail,
              HasSubstr("struct sample has no member 'gone' or 'gone_too'"));
}

TEST_F(RowReaderTest, AnObjectThatCannotBeReadIsOneAnomaly) {
  object_ = guest_.Unmapped();
  const SampleRow row = Read();
  EXPECT_EQ(row.narrow, std::nullopt);
  EXPECT_EQ(row.name, std::nullopt);
  EXPECT_EQ(anomalies_.rows().size(), 2u);  // and the member that is missed
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unmapped", object_));
}

}  // namespace
}  // namespace ktstr

// Typed memory by path, as cells, rows and text.
#include "libcore/walk/value/typed_value.h"

#include <fmt/format.h>

#include "libcore/image/type_text.h"
#include "libcore/walk/value/struct_rows.h"
#include "libcore/walk/value/value_text.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using ::testing::HasSubstr;

// A kernel with one "thing" that has a member of every kind, and one that it points to.
class TypedValueTest : public ::testing::Test {
 protected:
  TypedValueTest() {
    synthetic::BtfBuilder& t = guest_.builder().types();
    t.Enum("colour", {{"RED", 0}, {"GREEN", 1}});
    t.Typedef("word_t", "u32");
    t.Struct("point", {{"s16", "x"}, {"s16", "y"}});
    t.Struct("other", {{"u64", "id"}, {"char[8]", "name"}});
    t.Struct("hidden", {{"u8", "beside"}});
    t.Struct("thing", {{"u64", "large"},
                       {"int", "negative"},
                       {"word_t", "word"},
                       {"bool", "flag"},
                       {"u32:3", "low"},
                       {"u32:5", "high"},
                       {"colour", "colour"},
                       {"char[8]", "name"},
                       {"point", "at"},
                       {"point[3]", "points"},
                       {"u16[4]", "numbers"},
                       {"hidden", ""},
                       {"other *", "next"},
                       {"other *", "none"},
                       {"void *", "raw"}});
    kva_ = guest_.builder().Allocate(guest_.builder().SizeOf("thing"));
    other_ = guest_.builder().Allocate(2 * guest_.builder().SizeOf("other"));
    Set("large", UINT64_MAX);
    Set("negative", static_cast<uint64_t>(-3));
    Set("word", 7);
    Set("flag", 1);
    Set("low", 5);
    Set("high", 9);
    Set("colour", 1);
    guest_.builder().SetText("thing", kva_, "name", "widget");
    Set("at.y", static_cast<uint64_t>(-1));
    Set("points[2].x", 4);
    Set("numbers[3]", 8);
    Set("beside", 2);
    Set("next", other_.value());
    guest_.builder().Set("other", other_, "id", 11);
    guest_.builder().Set("other", other_ + guest_.builder().SizeOf("other"), "id", 12);
    guest_.builder().SetText("other", other_, "name", "\x1b[2J");
  }

  void Set(std::string_view path, uint64_t value) {
    guest_.builder().Set("thing", kva_, path, value);
  }
  const TypeInfo& types() { return **guest_.Open().types(); }
  TypeId thing() { return types().FindStruct("thing").value(); }

  Result<TypedPlace> Find(std::string_view path) {
    return FindPlace(guest_.Open(), types(), thing(), kva_, path);
  }
  Value Of(std::string_view path) {
    const auto place = Find(path);
    if (!place) return "error: " + place.error().ToString();
    const auto value = ReadValue(guest_.Open(), types(), *place);
    return value ? *value : Value("error: " + value.error().ToString());
  }
  std::string Text(std::string_view path) {
    return ValueText(guest_.Open(), types(), Find(path).value(), {});
  }

  WalkGuest guest_;
  Kva kva_, other_;
};

TEST_F(TypedValueTest, EachKindOfMemberIsACellOfItsOwn) {
  EXPECT_EQ(Of("large"), Value("0xffffffffffffffff"));
  EXPECT_EQ(Of("negative"), Value(int64_t{-3}));
  EXPECT_EQ(Of("word"), Value(int64_t{7}));
  EXPECT_EQ(Of("flag"), Value(int64_t{1}));
  EXPECT_EQ(Of("low"), Value(int64_t{5}));
  EXPECT_EQ(Of("high"), Value(int64_t{9}));
  EXPECT_EQ(Of("colour"), Value("GREEN"));
  EXPECT_EQ(Of("name"), Value("widget"));
  EXPECT_EQ(Of("next"), Value(ToText(Hex(other_))));
  EXPECT_EQ(Of("numbers"), Value("[0,0,0,8]"));
  EXPECT_EQ(Of("at"), Value(R"({"x":0,"y":-1})"));
  EXPECT_EQ(Of("beside"), Value(int64_t{2}));
}

TEST_F(TypedValueTest, APathGoesIntoStructuresAlongPointersAndToElements) {
  EXPECT_EQ(Of("points[2].x"), Value(int64_t{4}));
  EXPECT_EQ(Of("next->id"), Value(int64_t{11}));
  EXPECT_EQ(Of("next[1].id"), Value(int64_t{12}));
  EXPECT_EQ(Find("at.y")->kva(), kva_ + types().FindMember("thing", "at.y")->offset);
}

TEST_F(TypedValueTest, AnEnumWithoutANameForItsValueIsANumber) {
  Set("colour", 77);
  EXPECT_EQ(Of("colour"), Value(int64_t{77}));
}

TEST_F(TypedValueTest, AWrongPathIsToldWithItsReason) {
  Set("raw", other_.value());
  const auto error = [&](std::string_view path) {
    const auto place = Find(path);
    return place ? "none" : place.error().ToString();
  };
  EXPECT_EQ(error("nmae"), "unknown member of struct thing: 'nmae'; did you mean 'name'?");
  EXPECT_EQ(error("besde"), "unknown member of struct thing: 'besde'; did you mean 'beside'?");
  EXPECT_THAT(error("next.id"), HasSubstr("is a pointer: write '->id'"));
  EXPECT_THAT(error("at->x"), HasSubstr("no pointer but of type struct point"));
  EXPECT_THAT(error("word.x"), HasSubstr("of type word_t and has no members"));
  EXPECT_THAT(error("none->id"), HasSubstr("a null pointer at"));
  EXPECT_THAT(error("numbers[4]"), HasSubstr("outside the array of 4"));
  EXPECT_THAT(error("raw->x"), HasSubstr("of type void and has no members"));
  for (const char* path : {".x", "at.", "at..x", "numbers[", "numbers[x]", "numbers[1", "next->",
                           "at-x", "[0]", "at.x]"}) {
    EXPECT_FALSE(Find(path)) << path;
  }
}

TEST_F(TypedValueTest, AnOffsetNeverLeavesTheStructure) {
  EXPECT_EQ(FindOffset(types(), thing(), "at.y").value(),
            types().FindMember("thing", "at.y")->offset);
  EXPECT_THAT(FindOffset(types(), thing(), "next->id").error().ToString(),
              HasSubstr("leaves the structure through a pointer"));
}

TEST_F(TypedValueTest, ThePageThatWasLeftOutIsAnErrorNeverZeros) {
  guest_.LeaveOut(other_);
  EXPECT_THAT(std::get<std::string>(Of("next->id")), HasSubstr("error: "));
  EXPECT_THAT(std::get<std::string>(Of("next->id")), HasSubstr("free"));
}

TEST_F(TypedValueTest, TypesAreWrittenAsInC) {
  const auto text = [&](std::string_view path) {
    return TypeText(types(), types().FindMember("thing", path)->type);
  };
  EXPECT_EQ(text("word"), "word_t");
  EXPECT_EQ(text("points"), "struct point[3]");
  EXPECT_EQ(text("next"), "struct other *");
  EXPECT_EQ(text("raw"), "void *");
  EXPECT_EQ(text("colour"), "enum colour");
}

TEST_F(TypedValueTest, TheRowsOfAStructureAreItsLeaves) {
  const TypedPlace whole = WholeObject(types(), thing(), kva_).value();
  const auto rows = ReadStructRows(guest_.Open(), types(), whole);
  ASSERT_TRUE(rows);
  EXPECT_THAT(rows->anomalies, NoAnomalies());
  std::vector<std::string> members;
  for (const StructRow& row : rows->rows) members.push_back(row.member);
  EXPECT_THAT(members, testing::ElementsAre("large", "negative", "word", "flag", "low", "high",
                                            "colour", "name", "at.x", "at.y", "points", "numbers",
                                            "beside", "next", "none", "raw"));
  const StructRow& y = rows->rows[9];
  EXPECT_EQ(y.type, "s16");
  EXPECT_EQ(y.size, 2);
  EXPECT_EQ(y.value, Value(int64_t{-1}));
}

TEST_F(TypedValueTest, AMemberThatCannotBeReadHasNoValueAndIsAnAnomaly) {
  const Kva unmapped = guest_.Unmapped();
  const TypedPlace whole =
      WholeObject(types(), types().FindStruct("point").value(), unmapped).value();
  const auto rows = ReadStructRows(guest_.Open(), types(), whole);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->rows.size(), 2u);
  EXPECT_EQ(rows->rows[0].value, Value());
  EXPECT_THAT(rows->anomalies, HasAnomaly("unmapped", unmapped));
}

TEST_F(TypedValueTest, TextIsNestedAndSaysEqualNeighboursOnce) {
  EXPECT_EQ(Text(""), fmt::format(R"({{
  large = 0xffffffffffffffff
  negative = -3
  word = 7
  flag = true
  low = 5
  high = 9
  colour = GREEN
  name = "widget"
  at = {{
    x = 0
    y = -1
  }}
  points = [
    [0…1] = {{
      x = 0
      y = 0
    }}
    [2] = {{
      x = 4
      y = 0
    }}
  ]
  numbers = [0 ×3, 8]
  beside = 2
  next = {}
  none = null
  raw = null
}}
)",
                                  ToText(Hex(other_))));
}

TEST_F(TypedValueTest, TextOfTheGuestCannotDriveTheTerminal) {
  EXPECT_EQ(Text("next->name"), "\"\\x1b[2J\"\n");
}

TEST_F(TypedValueTest, TextTellsWhatCannotBeReadInItsPlace) {
  const Kva unmapped = guest_.Unmapped();
  const TypedPlace point =
      WholeObject(types(), types().FindStruct("point").value(), unmapped).value();
  const std::string text = ValueText(guest_.Open(), types(), point, {});
  EXPECT_THAT(text, HasSubstr(fmt::format("x = <{:#x} is not mapped", unmapped.value())));
}

TEST(DamagedTypesTest, AStructureThatContainsItselfHasAnEnd) {
  WalkGuest guest;
  guest.builder().types().SelfContaining("ring");
  const Kva kva = guest.builder().Allocate(8);
  const GuestKernel& kernel = guest.Open();
  const TypeInfo& types = **kernel.types();
  const TypeId ring = types.FindStruct("ring").value();
  const TypedPlace whole = WholeObject(types, ring, kva).value();
  EXPECT_FALSE(FindPlace(kernel, types, ring, kva, "self.self.other"));
  EXPECT_THAT(ReadStructRows(kernel, types, whole)->anomalies, HasAnomaly("cap", kva));
  EXPECT_LT(ValueText(kernel, types, whole, {}).size(), 10u << 20);
  EXPECT_LT(ReadJson(kernel, types, whole)->size(), 100u << 20);
}

}  // namespace
}  // namespace ktstr

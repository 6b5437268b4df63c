#include "libcore/walk/value/value_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fixtures/synthetic/kernel_builder.h"

namespace ktstr {
namespace {

// A value of a type, written member by member as a kernel would.
class ValueJsonTest : public ::testing::Test {
 protected:
  synthetic::BtfBuilder& types() { return builder_.types(); }
  void New(const std::string& type) {
    type_ = type;
    kva_ = builder_.Allocate(builder_.SizeOf(type));
  }
  void Set(std::string_view member, uint64_t value) { builder_.Set(type_, kva_, member, value); }
  void SetText(std::string_view member, std::string_view text) {
    builder_.SetText(type_, kva_, member, text);
  }
  std::vector<std::byte> Bytes() {
    std::vector<std::byte> bytes(builder_.SizeOf(type_));
    EXPECT_TRUE(builder_.memory().Read(builder_.PaOf(kva_), bytes));
    return bytes;
  }
  std::string Json(std::span<const std::byte> bytes) {
    const TypeInfo info = TypeInfo::Parse(types().Build()).value();
    std::string json = ToJson(info, info.FindStruct(type_).value(), bytes);
    EXPECT_TRUE(nlohmann::json::accept(json)) << json;
    return json;
  }
  std::string Json() { return Json(Bytes()); }

  synthetic::KernelBuilder builder_;
  std::string type_;
  Kva kva_;
};

TEST_F(ValueJsonTest, NumbersKeepTheirSignAndAllTheirDigits) {
  types().Struct("numbers",
                 {{"u64", "large"}, {"int", "negative"}, {"u8", "small"}, {"bool", "b"}});
  New("numbers");
  Set("large", UINT64_MAX);
  Set("negative", static_cast<uint64_t>(-3));
  Set("small", 255);
  Set("b", 1);
  EXPECT_EQ(Json(), R"({"large":18446744073709551615,"negative":-3,"small":255,"b":true})");
}

TEST_F(ValueJsonTest, MembersOfAnonymousOnesStandBesideTheOthers) {
  types().Struct("inner", {{"u16", "a"}, {"u16", "b"}});
  types().Union("either", {{"u32", "both"}, {"inner", ""}});
  types().Struct("outer", {{"u32", "first"}, {"either", ""}, {"inner", "named"}});
  New("outer");
  Set("first", 1);
  Set("both", 0x00030002);
  Set("named.b", 9);
  EXPECT_EQ(Json(), R"({"first":1,"both":196610,"a":2,"b":3,"named":{"a":0,"b":9}})");
}

TEST_F(ValueJsonTest, BitFieldsAreNumbersOfTheirWidth) {
  types().Struct("bits", {{"u32:3", "low"}, {"int:5", "negative"}, {"u32:24", "rest"}});
  New("bits");
  Set("low", 5);
  Set("negative", 0x1f);
  Set("rest", 0xabcdef);
  EXPECT_EQ(Json(), R"({"low":5,"negative":-1,"rest":11259375})");
}

TEST_F(ValueJsonTest, EnumeratorsPointersAndTextsAreForPeople) {
  types().Enum("colour", {{"RED", 1}, {"BLUE", -2}});
  types().Struct("mixed", {{"colour", "known"},
                           {"colour", "negative"},
                           {"colour", "unknown"},
                           {"u64 *", "pointer"},
                           {"char[8]", "text"}});
  New("mixed");
  Set("known", 1);
  Set("negative", static_cast<uint64_t>(-2));
  Set("unknown", 77);
  Set("pointer", 0xffff888000001000);
  SetText("text", "a\"b\\c");
  EXPECT_EQ(Json(), R"({"known":"RED","negative":"BLUE","unknown":77,)"
                    R"("pointer":"0xffff888000001000","text":"a\"b\\c"})");
}

TEST_F(ValueJsonTest, CharactersThatAreNoTextAreNumbers) {
  types().Struct("raw", {{"char[4]", "bytes"}});
  New("raw");
  SetText("bytes", std::string_view("\x01\0z\0", 4));
  EXPECT_EQ(Json(), R"({"bytes":[1,0,122,0]})");
}

TEST_F(ValueJsonTest, WhatIsNotUtf8IsReplaced) {
  types().Struct("name", {{"char[8]", "text"}});
  New("name");
  SetText("text", "\xff\xfe!");
  EXPECT_EQ(nlohmann::json::parse(Json())["text"], "\uFFFD\uFFFD!");
}

TEST_F(ValueJsonTest, ArraysOfStructuresAreArraysOfObjects) {
  types().Struct("point", {{"u8", "x"}, {"u8", "y"}});
  types().Struct("line", {{"point[2]", "ends"}, {"u32[0]", "none"}});
  New("line");
  Set("ends[1].y", 4);
  EXPECT_EQ(Json(), R"({"ends":[{"x":0,"y":0},{"x":0,"y":4}],"none":[]})");
}

TEST_F(ValueJsonTest, AValueWhoseBytesAreMissingIsNull) {
  types().Struct("two", {{"u32", "here"}, {"u32", "gone"}});
  New("two");
  const auto bytes = Bytes();
  EXPECT_EQ(Json(std::span(bytes).first(4)), "null");
}

TEST_F(ValueJsonTest, AnArrayOfManyElementsWithoutASizeEnds) {
  types().Struct("nothing", {});
  types().Struct("many", {{"nothing[4294967295]", "nothings"}, {"u8", "x"}});
  New("many");
  Set("x", 3);
  EXPECT_EQ(Json(), R"({"nothings":[],"x":3})");
}

}  // namespace
}  // namespace ktstr

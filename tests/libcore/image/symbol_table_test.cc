#include "libcore/image/symbol_table.h"

#include <gtest/gtest.h>

namespace ktstr {
namespace {

SymbolTable Make(std::initializer_list<std::pair<const char*, uint64_t>> symbols) {
  SymbolTable::Builder builder;
  for (const auto& [name, address] : symbols) builder.Add(name, address, 'T');
  return std::move(builder).Build();
}

TEST(SymbolTableTest, FindsByNameWhateverTheOrderTheyWereAddedIn) {
  const SymbolTable table = Make({{"c", 0x30}, {"a", 0x10}, {"b", 0x20}});
  EXPECT_EQ(table.Find("a")->address, 0x10u);
  EXPECT_EQ(table.Find("c")->address, 0x30u);
  EXPECT_EQ(table.at(0).name, "a");
  EXPECT_EQ(table.Find("d").error().code(), ErrorCode::kNotFound);
}

TEST(SymbolTableTest, ANameWithSeveralAddressesIsAmbiguousNotTheFirstOfThem) {
  const SymbolTable table = Make({{"state", 0x30}, {"x", 0x20}, {"state", 0x10}});
  EXPECT_EQ(table.Find("state").error().code(), ErrorCode::kAmbiguous);
  const auto all = table.FindAll("state");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].address, 0x10u);
  EXPECT_EQ(all[1].address, 0x30u);
}

TEST(SymbolTableTest, ANameTwiceAtOneAddressIsNotAmbiguous) {
  EXPECT_EQ(Make({{"alias", 0x10}, {"alias", 0x10}}).Find("alias")->address, 0x10u);
}

TEST(SymbolTableTest, FindAtGivesTheLastSymbolAtOrBelow) {
  const SymbolTable table = Make({{"a", 0x10}, {"b", 0x20}, {"b_alias", 0x20}});
  EXPECT_FALSE(table.FindAt(0xf).has_value());
  EXPECT_EQ(table.FindAt(0x10)->name, "a");
  EXPECT_EQ(table.FindAt(0x1f)->name, "a");
  EXPECT_EQ(table.FindAt(0x25)->name, "b");
}

TEST(SymbolTableTest, ManySymbolsOfOneNameAreFoundAndStayOutOfTheOthersWay) {
  SymbolTable::Builder builder;
  for (uint64_t i = 0; i < 5000; ++i) builder.Add("__func__.0", i * 8, 'r');
  builder.Add("needle", 1, 'T');
  const SymbolTable table = std::move(builder).Build();
  EXPECT_EQ(table.FindAll("__func__.0").size(), 5000u);
  EXPECT_EQ(table.Find("needle")->address, 1u);
}

TEST(SymbolTableTest, AMovedTableMovesTheKernelsHalfOnly) {
  const SymbolTable table =
      Make({{"per_cpu", 0x10}, {"_text", 0xffffffff81000000}, {"_etext", 0xffffffff82000000}});
  const SymbolTable moved = table.MovedBy(uint64_t{0} - 0x200000);
  EXPECT_EQ(moved.Find("per_cpu")->address, 0x10u);
  EXPECT_EQ(moved.Find("_text")->address, 0xffffffff80e00000u);
  EXPECT_EQ(moved.FindAt(0xffffffff80e00010)->name, "_text");
  EXPECT_EQ(moved.FindAt(0xffffffff81e00000)->name, "_etext");
  EXPECT_EQ(moved.FindAt(0xffffffff80dfffff)->name, "per_cpu");
  EXPECT_EQ(moved.at(2).address, 0xffffffff81e00000u);
}

TEST(SymbolTableTest, ArraysThatDoNotFitEachOtherAreRefused) {
  const SymbolTable table = Make({{"a", 0x10}, {"b", 0x20}});
  SymbolArrays arrays = table.arrays();
  ASSERT_TRUE(SymbolTable::With(arrays, nullptr));
  EXPECT_EQ(SymbolTable::With(arrays, nullptr)->Find("b")->address, 0x20u);
  arrays.names.remove_suffix(1);
  EXPECT_EQ(SymbolTable::With(arrays, nullptr).error().code(), ErrorCode::kDamaged);
  arrays = table.arrays();
  arrays.next = arrays.next.first(1);
  EXPECT_EQ(SymbolTable::With(arrays, nullptr).error().code(), ErrorCode::kDamaged);
}

TEST(SymbolTableTest, AnEmptyTableFindsNothing) {
  const SymbolTable table;
  EXPECT_EQ(table.Find("a").error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(table.FindAt(1).has_value());
}

}  // namespace
}  // namespace ktstr

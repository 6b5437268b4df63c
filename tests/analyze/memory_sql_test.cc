// SQL that reaches the frozen memory.
#include "analyze/memory_sql/memory_sql.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "analyze/text/output.h"
#include "archives.h"
#include "replay/frozen_machine.h"
#include "fixtures/synthetic/container_builder.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Three objects of a type with a list and a name; an address at which nothing is mapped.
class MemorySqlTest : public ::testing::Test {
 protected:
  MemorySqlTest() {
    synthetic::KernelBuilder kernel;
    synthetic::SchedBuilder sched(kernel);
    kernel.types().Enum("kind", {{"PLAIN", 0}, {"FANCY", 1}});
    // The builder's structures cannot point to their own kind.
    kernel.types().Struct("friend", {{"u32", "id"}, {"u32", "age"}, {"kind", "kind"}});
    kernel.types().Struct("item", {{"u32", "id"},
                                   {"list_head", "link"},
                                   {"rb_node", "node"},
                                   {"kind", "kind"},
                                   {"friend *", "friend"},
                                   {"char[16]", "name"}});
    kernel.PerCpuVariable("counter", 8);
    head_ = kernel.Data("items", 128);
    damaged_ = kernel.Data("damaged_items", 16);
    root_ = kernel.Data("item_root", 8);
    std::vector<Kva> links, nodes, damaged;
    for (uint32_t i = 0; i < 5; ++i) {
      const Kva item = kernel.Allocate(kernel.SizeOf("item"));
      kernel.Set("item", item, "id", i + 1);
      kernel.Set("item", item, "kind", i % 2);
      kernel.SetText("item", item, "name", i == 1 ? "b\x1b[31m" : "a");
      items_.push_back(item);
      const Kva link = item + kernel.MemberOf("item", "link").offset;
      (i < 3 ? links : damaged).push_back(link);
      if (i < 3) nodes.push_back(item + kernel.MemberOf("item", "node").offset);
    }
    const Kva friend_kva = kernel.Allocate(kernel.SizeOf("friend"));
    kernel.Set("friend", friend_kva, "id", 22);
    kernel.Set("friend", friend_kva, "kind", 1);
    kernel.Set("item", items_[0], "friend", friend_kva.value());
    kernel.LinkList(head_, links);
    kernel.LinkList(damaged_, damaged);
    // The last one leads back to itself.
    kernel.Put(damaged.back(), damaged.back().value());
    synthetic::LinkRbTree(kernel, root_, nodes);
    kernel.Put(kernel.PerCpu("counter", 1), uint64_t{99});
    kernel.Put(head_ + 64, uint64_t{0x8000000000000001});
    sched.Finish();
    WriteGuest(kernel.Finish(), directory_ / "a.kts");
    memory_.emplace(FrozenMachine::Open(directory_ / "a.kts").value());
    EXPECT_TRUE(AddMemorySql(database_, *memory_, anomalies_));
  }

  static std::string Quoted(Kva kva) { return "'" + ToText(Hex(kva)) + "'"; }
  // The first column of all rows, or the error.
  std::vector<std::string> Ask(const std::string& sql) {
    const auto result = database_.Query(sql);
    if (!result) return {"error: " + result.error().ToString()};
    std::vector<std::string> cells;
    for (const auto& row : result->rows) cells.push_back(ToDisplay(row[0]));
    return cells;
  }
  std::string AskOne(const std::string& sql) { return Ask("SELECT " + sql).at(0); }

  TemporaryDirectory directory_;
  Kva head_, damaged_, root_;
  std::vector<Kva> items_;
  std::optional<MemorySource> memory_;
  QueryAnomalies anomalies_;
  Database database_ = Database::InMemory().value();
};

TEST_F(MemorySqlTest, NumbersAndTextAreReadAtAddressesOfEitherForm) {
  const std::string item = Quoted(items_[2]);
  EXPECT_EQ(AskOne("read_u32(" + item + ")"), "3");
  EXPECT_EQ(AskOne(fmt::format("read_u8({})", static_cast<int64_t>(items_[2].value()))), "3");
  EXPECT_EQ(AskOne("read_bytes(" + item + ", 4)"), "03000000");
  EXPECT_EQ(AskOne("typeof(read_bytes(" + item + ", 4))"), "blob");
  EXPECT_EQ(AskOne("read_string(field_address('item', " + item + ", 'name'))"), "a");
  const std::string large = "address(symbol_address('items'), 64)";
  EXPECT_EQ(AskOne("read_u64(" + large + ")"), "0x8000000000000001");
  EXPECT_EQ(AskOne("read_i64(" + large + ")"), "-9223372036854775807");
  EXPECT_EQ(AskOne("read_u64(" + large + ") > 5"), "1");
}

TEST_F(MemorySqlTest, FieldsAreReadByPath) {
  const std::string item = Quoted(items_[0]);
  EXPECT_EQ(AskOne("field('item', " + item + ", 'friend->id')"), "22");
  EXPECT_EQ(AskOne("field('item', " + item + ", 'friend->kind')"), "FANCY");
  EXPECT_EQ(AskOne("json_extract(struct_json('item', " + item + "), '$.kind')"), "PLAIN");
  EXPECT_EQ(AskOne("size_of('item') > offset_of('item', 'link.prev')"), "1");
}

TEST_F(MemorySqlTest, NamesBecomeAddressesAndAddressesNames) {
  EXPECT_EQ(AskOne("symbol(address(symbol_address('items'), 4))"), "items+0x4");
  EXPECT_EQ(AskOne("symbol(" + Quoted(items_[0]) + ")"), "-");
  EXPECT_EQ(AskOne("read_u64(per_cpu('counter', 1))"), "99");
  EXPECT_THAT(AskOne("symbol_address('counter')"), HasSubstr("is a per-CPU variable"));
  EXPECT_THAT(AskOne("per_cpu('items', 0)"), HasSubstr("is no per-CPU variable"));
  EXPECT_THAT(AskOne("symbol_address('itmes')"), HasSubstr("did you mean 'items'?"));
}

TEST_F(MemorySqlTest, ContainersAreTables) {
  const std::string name = "field('item', address, 'id')";
  EXPECT_THAT(Ask("SELECT " + name + " FROM list('item', symbol_address('items'), 'link')"),
              ElementsAre("1", "2", "3"));
  EXPECT_THAT(Ask("SELECT " + name + " FROM rbtree('item', symbol_address('item_root'), 'node')"),
              ElementsAre("1", "2", "3"));
  EXPECT_THAT(Ask("SELECT member FROM struct_rows('item', " + Quoted(items_[0]) +
                  ") WHERE member LIKE 'link.%'"),
              ElementsAre("link.next", "link.prev"));
  EXPECT_THAT(Ask("SELECT r.value FROM list('item', symbol_address('items'), 'link') AS l JOIN "
                  "struct_rows('item', l.address) AS r WHERE r.member = 'id' AND l.position = 1"),
              ElementsAre("2"));
}

TEST_F(MemorySqlTest, DamageEndsAQueryAndItsTwinGivesWhatWasFound) {
  const std::string rest = "list('item', symbol_address('damaged_items'), 'link')";
  EXPECT_THAT(Ask("SELECT position FROM " + rest)[0],
              AllOf(HasSubstr("error: list('item', "), HasSubstr("cycle at 0x")));
  EXPECT_THAT(Ask("SELECT field('item', address, 'id') FROM try_" + rest), ElementsAre("4", "5"));
  EXPECT_EQ(Ask("SELECT kind FROM query_anomaly")[0], "cycle");
}

TEST_F(MemorySqlTest, WhatCannotBeReadIsAnErrorWithThePlaceOrNullAndARow) {
  EXPECT_THAT(AskOne("read_u64(16)"), HasSubstr("read_u64(16): 0x10 is not mapped"));
  EXPECT_EQ(AskOne("try_read_u64(16)"), "-");
  EXPECT_EQ(AskOne("try_field('item', " + Quoted(items_[1]) + ", 'friend->id')"), "-");
  ASSERT_EQ(anomalies_.count(), 2u);
  EXPECT_EQ(anomalies_.rows()[0].kind, "unmapped");
  EXPECT_THAT(anomalies_.rows()[1].detail, HasSubstr("goes through a null pointer"));
}

TEST_F(MemorySqlTest, AQueryThatIsWrongFailsInEitherForm) {
  for (const char* call : {"try_read_u64('12')", "try_read_u64(1.5)", "try_read_bytes(1, -1)",
                           "try_read_bytes(1, 1 << 40)", "try_field('item', 1, '..')",
                           "try_read_u64()", "try_field('item', 1)"}) {
    EXPECT_THAT(AskOne(call), HasSubstr("error: ")) << call;
  }
  EXPECT_THAT(Ask("SELECT * FROM list('item')")[0],
              HasSubstr("list takes 3 arguments: list(type, head, member)"));
}

TEST_F(MemorySqlTest, NullGivesNull) {
  EXPECT_EQ(AskOne("read_u64(NULL)"), "-");
  EXPECT_EQ(AskOne("field('item', NULL, 'id')"), "-");
  EXPECT_THAT(Ask("SELECT 1 FROM list('item', NULL, 'link')"), ElementsAre());
}

TEST_F(MemorySqlTest, MemoryCannotBeWritten) {
  EXPECT_THAT(Ask("INSERT INTO list VALUES (1, 2)")[0], HasSubstr("error"));
  EXPECT_THAT(Ask("DELETE FROM query_anomaly")[0], HasSubstr("error"));
  EXPECT_THAT(Ask("CREATE VIRTUAL TABLE x USING list")[0], HasSubstr("error"));
}

// A query that is asked to end while it runs: interrupt_now() is 0 and asks for it.
TEST_F(MemorySqlTest, EveryFunctionEndsAQueryThatShallEnd) {
  static std::atomic<bool> asked = false;
  database_.InterruptBy(&asked);
  sqlite3_create_function_v2(
      database_.handle(), "interrupt_now", 0, SQLITE_UTF8, nullptr,
      [](sqlite3_context* context, int, sqlite3_value**) {
        asked = true;
        sqlite3_result_int(context, 0);
      },
      nullptr, nullptr, nullptr);
  const std::string item = Quoted(items_[0]);
  for (const std::string prefix : {"", "try_"}) {
    for (const std::string rest : {"list('item', symbol_address('items') || now, 'link')",
                                   "rbtree('item', symbol_address('item_root') || now, 'node')",
                                   "hlist('item', symbol_address('items') || now, 'link')",
                                   "xarray(symbol_address('items') || now)"}) {
      asked = false;
      const std::string from = "(SELECT substr(interrupt_now(), 2) AS now), " + prefix + rest;
      EXPECT_THAT(Ask("SELECT count(*) FROM " + from)[0], HasSubstr("interrupted")) << from;
    }
    asked = false;
    EXPECT_THAT(Ask("SELECT count(*) FROM (SELECT interrupt_now() AS now), " + prefix +
                    "struct_rows('item', address(" + item + ", now))")[0],
                HasSubstr("interrupted"));
    asked = false;
    EXPECT_THAT(AskOne("interrupt_now() + " + prefix + "read_u8(" + item + ")"),
                HasSubstr("interrupted"));
  }
  EXPECT_EQ(anomalies_.count(), 0u);
}

TEST_F(MemorySqlTest, EveryFunctionIsDescribed) {
  for (const ScalarFunction& function : MemoryFunctions()) {
    EXPECT_FALSE(function.meaning.empty()) << function.name;
    EXPECT_LE(function.optional, function.parameters.size()) << function.name;
  }
  for (const TableFunction& function : MemoryTableFunctions()) {
    EXPECT_FALSE(function.meaning.empty()) << function.name;
    EXPECT_FALSE(function.columns.empty()) << function.name;
  }
}

}  // namespace
}  // namespace ktstr

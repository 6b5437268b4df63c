#include "ktstr/analyze/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Row {
  int64_t number = 0;
  std::optional<std::string> text;
  std::optional<double> real;
  std::optional<Hex> address;

  static const RowTable<Row>& Table() {
    static const RowTable<Row> table("thing", "Things.",
                                     {
                                         Col<&Row::number>("number", "", "A number."),
                                         Col<&Row::text>("text", "", "A text."),
                                         Col<&Row::real>("real", "s", "A real."),
                                         Col<&Row::address>("address", "", "An address."),
                                     });
    return table;
  }
};

Database MakeDatabase() {
  Database database = Database::InMemory().value();
  const RowSet<Row> rows(
      {{1, "one", 0.5, Hex(0xffff888000001000)}, {2, std::nullopt, std::nullopt, Hex(0x10)}});
  EXPECT_TRUE(database.AddTable(rows));
  return database;
}

TEST(DatabaseTest, RowsComeBackAsTheyWereDeclared) {
  const auto result = MakeDatabase().Query("SELECT * FROM thing ORDER BY number");
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_THAT(result->columns, ElementsAre("number", "text", "real", "address"));
  EXPECT_THAT(result->rows[0], ElementsAre(Value(int64_t{1}), Value("one"), Value(0.5),
                                           Value("0xffff888000001000")));
  EXPECT_THAT(result->rows[1],
              ElementsAre(Value(int64_t{2}), Value(), Value(), Value("0x0000000000000010")));
}

TEST(DatabaseTest, AddressesSortAsNumbersDo) {
  const auto result = MakeDatabase().Query("SELECT number FROM thing ORDER BY address");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->rows[0][0], Value(int64_t{2}));
}

TEST(DatabaseTest, AQueryCannotChangeAnything) {
  Database database = MakeDatabase();
  for (const char* sql :
       {"DELETE FROM thing", "DROP TABLE thing", "INSERT INTO thing VALUES (1,2,3,4)",
        "UPDATE thing SET number = 0", "CREATE TABLE x (a)", "PRAGMA writable_schema = 1", "VACUUM",
        "BEGIN", "UPDATE sqlite_master SET sql = ''", "DELETE FROM sqlite_master",
        "CREATE VIRTUAL TABLE x USING fts5(a)", "CREATE TEMP TABLE x (a)", "ATTACH '/tmp/x' AS x",
        "PRAGMA user_version = 1", "INSERT INTO json_each VALUES (1)", "ANALYZE"}) {
    const auto result = database.Query(sql);
    ASSERT_FALSE(result) << sql;
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument) << sql;
  }
  EXPECT_EQ(database.Query("SELECT count(*) FROM thing")->rows[0][0], Value(int64_t{2}));
}

TEST(DatabaseTest, TableValuedFunctionsOfSqlitesOwnCanBeAsked) {
  const auto result = MakeDatabase().Query("SELECT sum(value) FROM json_each('[1, 2]')");
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(result->rows[0][0], Value(int64_t{3}));
}

TEST(DatabaseTest, ABlobIsShownAsHexadecimalDigits) {
  EXPECT_EQ(MakeDatabase().Query("SELECT x'00ff1b'")->rows[0][0], Value("00ff1b"));
}

TEST(DatabaseTest, AResultBeyondItsLimitIsRefusedBeforeItFillsMemory) {
  const auto result = MakeDatabase().Query(
      "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x FROM r",
      {.max_bytes = 1 << 20});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("larger than 1 MiB"));
}

TEST(DatabaseTest, WrongSqlIsAnsweredWithThePlace) {
  const Database database = MakeDatabase();
  EXPECT_THAT(database.Query("SELECT nmber FROM thing").error().message(),
              HasSubstr("no such column: nmber"));
  EXPECT_THAT(database.Query("SELECT nmber FROM thing").error().message(),
              HasSubstr("character 8"));
  EXPECT_THAT(database.Query("SELECT 1; SELECT 2").error().message(),
              HasSubstr("only one statement"));
  EXPECT_THAT(database.Query("  ").error().message(), HasSubstr("empty"));
  EXPECT_TRUE(database.Query("SELECT 1 ; \n"));
}

TEST(DatabaseTest, AnEndlessQueryEndsAtItsTimeout) {
  const auto result = MakeDatabase().Query(
      "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r",
      {.timeout_s = 0.05});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kTimeout);
}

}  // namespace
}  // namespace ktstr

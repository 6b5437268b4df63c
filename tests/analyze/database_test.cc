#include "analyze/index/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "fixtures/sample/temporary_directory.h"

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

std::string BytesOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Every statement of SQLite's that is no question, on a file that the process may write.
class ReadingOnlyTest : public testing::TestWithParam<const char*> {};

TEST_P(ReadingOnlyTest, IsRefusedAndLeavesFilesAlone) {
  const synthetic::TemporaryDirectory directory;
  std::filesystem::current_path(directory.path());
  {
    Database made = Database::Open("a.db", Database::Mode::kCreate).value();
    ASSERT_TRUE(
        made.Execute("CREATE TABLE thing (number); CREATE INDEX by_number ON thing (number);"
                     "INSERT INTO thing VALUES (1)"));
  }
  const std::string before = BytesOf("a.db");
  {
    // As the index in memory is, too: SQLite would not refuse by itself.
    const Database database = Database::Open("a.db", Database::Mode::kCreate).value();
    const auto result = database.Query(GetParam());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument) << result.error().ToString();
  }
  EXPECT_EQ(BytesOf("a.db"), before);
  for (const auto& entry : std::filesystem::directory_iterator(".")) {
    EXPECT_EQ(entry.path().filename(), "a.db");
  }
  std::filesystem::current_path("/");
}

INSTANTIATE_TEST_SUITE_P(
    All, ReadingOnlyTest,
    testing::Values("INSERT INTO thing VALUES (2)", "REPLACE INTO thing VALUES (2)",
                    "WITH x AS (SELECT 2) INSERT INTO thing SELECT * FROM x",
                    "INSERT INTO thing VALUES (2) RETURNING number", "UPDATE thing SET number = 0",
                    "DELETE FROM thing", "DELETE FROM thing RETURNING number", "DROP TABLE thing",
                    "CREATE TABLE x (a)", "CREATE TEMP TABLE x (a)", "CREATE TABLE x AS SELECT 1",
                    "CREATE INDEX x ON thing (number)", "CREATE VIEW x AS SELECT 1",
                    "CREATE TRIGGER x DELETE ON thing BEGIN SELECT 1; END",
                    "CREATE VIRTUAL TABLE x USING fts5(a)", "ALTER TABLE thing RENAME TO x",
                    "ALTER TABLE thing ADD COLUMN x", "ANALYZE", "REINDEX", "VACUUM",
                    "VACUUM INTO 'out.db'", "ATTACH 'out.db' AS x", "ATTACH ':memory:' AS x",
                    "DETACH main", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT x", "RELEASE x",
                    "PRAGMA user_version = 1", "PRAGMA journal_mode = WAL",
                    "PRAGMA writable_schema = 1", "PRAGMA query_only = 0", "PRAGMA database_list",
                    "PRAGMA wal_checkpoint", "PRAGMA temp_store_directory = '.'",
                    "SELECT * FROM pragma_database_list", "UPDATE sqlite_master SET sql = ''",
                    "DELETE FROM sqlite_master", "INSERT INTO sqlite_master VALUES (1, 2, 3, 4, 5)",
                    "SELECT load_extension('x.so')", "SELECT writefile('out', 'x')",
                    "SELECT fts3_tokenizer('x', x'00')", "EXPLAIN DELETE FROM thing",
                    "INSERT INTO json_each VALUES (1)"));

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

TEST(DatabaseTest, RowsBeyondTheLimitAreLeftOutAndThatIsSaid) {
  const Database database = MakeDatabase();
  const auto two = database.Query("SELECT * FROM thing", {.max_rows = 2});
  EXPECT_EQ(two->rows.size(), 2u);
  EXPECT_FALSE(two->has_more);
  const auto one = database.Query("SELECT * FROM thing", {.max_rows = 1});
  EXPECT_EQ(one->rows.size(), 1u);
  EXPECT_TRUE(one->has_more);
  // An endless query has an end then.
  EXPECT_EQ(database
                .Query("WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x "
                       "FROM r",
                       {.max_rows = 3})
                ->rows.size(),
            3u);
}

TEST(DatabaseTest, ATimeBeyondAllClocksIsNone) {
  const Database database = MakeDatabase();
  for (const double timeout_s : {1e300, -1.0, std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_TRUE(database.Query("SELECT count(*) FROM thing", {.timeout_s = timeout_s}));
  }
}

TEST(DatabaseTest, OneCellCannotFillMemory) {
  const auto result = MakeDatabase().Query("SELECT length(hex(zeroblob(900000000)))");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("too big"));
}

TEST(DatabaseTest, AQueryEndsWhenSomebodyAsks) {
  std::atomic<bool> asked = true;
  Database database = MakeDatabase();
  database.InterruptBy(&asked);
  const auto result = database.Query(
      "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kInterrupted);
  asked = false;
  EXPECT_TRUE(database.Query("SELECT count(*) FROM thing"));
}

TEST(DatabaseTest, WrongSqlIsAnsweredWithThePlace) {
  const Database database = MakeDatabase();
  EXPECT_THAT(database.Query("SELECT nmber FROM thing").error().message(),
              HasSubstr("no such column: nmber"));
  EXPECT_THAT(database.Query("SELECT nmber FROM thing").error().message(),
              HasSubstr("(character 8: nmber FROM thing)"));
  EXPECT_THAT(database.Query("SELECT 'é',\n 'é', nmber\nFROM thing").error().message(),
              HasSubstr("(its line 2, character 7: nmber)"));
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

// Tables made when they are asked for: that they are those of the index.
#include "analyze/index/partial_index.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/index/index.h"
#include "analyze/index/tables.h"
#include "analyze/views/views.h"
#include "libcore/walk/task/task.h"

namespace ktstr {
namespace {

std::string StateFile(const std::string& name) { return std::string(KTSTR_STATE_DIR) + "/" + name; }

class PartialIndexTest : public testing::Test {
 protected:
  void SetUp() override {
    machine_ = FrozenMachine::Open(StateFile("stall.kts")).value();
    index_.emplace(PartialIndex::Open(*machine_, {}).value());
  }
  QueryResult Ask(const std::string& sql) {
    const Status filled = index_->Fill(sql);
    if (!filled) ADD_FAILURE() << filled.error().ToString();
    return index_->database().Query(sql).value();
  }
  // Its rows; of one that no question has named there is no table.
  int64_t Count(const std::string& table) {
    const auto count = index_->database().Query("SELECT count(*) FROM " + table);
    return count ? std::get<int64_t>(count->rows.at(0).at(0)) : 0;
  }

  std::unique_ptr<FrozenMachine> machine_;
  std::optional<PartialIndex> index_;
};

TEST_F(PartialIndexTest, TablesAndViewsAreThoseOfTheIndex) {
  const Database whole = OpenIndex(StateFile("stall.kts"), {.use_file = false}).value();
  std::vector<std::string> names = {"log_text"};
  for (const TableInfo* info : AllTableInfos()) names.emplace_back(info->name);
  for (const View& view : Views()) names.emplace_back(view.name);
  for (const std::string& name : names) {
    // One that has been asked nothing else.
    index_.emplace(PartialIndex::Open(*machine_, {}).value());
    const std::string sql = "SELECT * FROM \"" + name + "\"";
    const QueryResult partial = Ask(sql), expected = whole.Query(sql).value();
    EXPECT_EQ(partial.columns, expected.columns) << name;
    EXPECT_EQ(partial.rows, expected.rows) << name;
  }
}

TEST_F(PartialIndexTest, OnlyWhatIsAskedForIsWalked) {
  EXPECT_FALSE(Ask("SELECT * FROM cpu").rows.empty());
  EXPECT_EQ(Count("task"), 0);
  EXPECT_EQ(Count("log"), 0);
  // The next question adds to it.
  EXPECT_FALSE(Ask("SELECT * FROM task JOIN cpu ON cpu.curr_pid = task.pid").rows.empty());
  EXPECT_EQ(Count("log"), 0);
  EXPECT_FALSE(Ask("SELECT * FROM log_text WHERE log_text MATCH 'Linux'").rows.empty());
  EXPECT_NE(Count("log"), 0);
  EXPECT_EQ(Count("cgroup"), 0);
  EXPECT_THAT(std::get<std::string>(Ask("SELECT sentence FROM verdict").rows.at(0).at(0)),
              testing::StartsWith("The scheduler ktstr_vtime has dispatched nothing"));
  EXPECT_NE(Count("cgroup"), 0);
}

TEST_F(PartialIndexTest, OnlyColumnsThatAreAskedForAreRead) {
  EXPECT_FALSE(Ask("SELECT pid FROM task WHERE state = 'R'").rows.empty());
  // Stacks are only walked for the functions in which tasks sleep.
  EXPECT_EQ(Count("stack_frame"), 0);
  const auto known = [&](const char* column) {
    return index_->database()
        .Query(fmt::format("SELECT count({}), count(*) FROM task", column))
        ->rows.at(0);
  };
  EXPECT_EQ(known("state")[0], known("state")[1]);
  EXPECT_EQ(known("comm")[0], Value(int64_t{0}));
  EXPECT_EQ(known("task_kva")[0], Value(int64_t{0}));
  // Each row is there once when somebody asks for more of it.
  const Value rows = known("pid")[1];
  EXPECT_FALSE(Ask("SELECT wchan FROM task WHERE wchan IS NOT NULL").rows.empty());
  EXPECT_EQ(known("pid")[1], rows);
  EXPECT_EQ(known("comm")[0], rows);
}

TEST_F(PartialIndexTest, EveryColumnOfATaskIsTheSameAlone) {
  const Database whole = OpenIndex(StateFile("stall.kts"), {.use_file = false}).value();
  for (const ColumnInfo& column : TaskRow::Table().info.columns) {
    index_.emplace(PartialIndex::Open(*machine_, {}).value());
    const std::string sql = fmt::format("SELECT \"{}\" FROM task", column.name);
    EXPECT_EQ(Ask(sql).rows, whole.Query(sql)->rows) << column.name;
  }
}

TEST_F(PartialIndexTest, NamesAreFoundAsSqliteFindsThem) {
  EXPECT_FALSE(Ask("SELECT PID FROM Task").rows.empty());
  EXPECT_FALSE(Ask("SELECT pid FROM [RUNNABLE] -- task\n").rows.empty());
  EXPECT_FALSE(Ask("-- a comment\n  SELECT\n--\npid FROM task_context").rows.empty());
  EXPECT_FALSE(Ask("SELECT '\n-- ' FROM task").rows.empty());
  // Who asks what there is hears of everything.
  EXPECT_THAT(Ask("SELECT name FROM sqlite_schema WHERE name = 'cgroup'").rows, testing::SizeIs(1));
  EXPECT_FALSE(Ask("SELECT name FROM pragma_table_info('bpf_map')").rows.empty());
}

TEST_F(PartialIndexTest, WrongSqlIsForTheQueryToTell) {
  EXPECT_TRUE(index_->Fill("SELECT * FROM no_such_table"));
  EXPECT_TRUE(index_->Fill("not SQL"));
  EXPECT_EQ(index_->database().Query("SELECT * FROM no_such_table").error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(Count("task"), 0);
}

}  // namespace
}  // namespace ktstr

// Tables made when they are asked for: that they are those of the index.
#include "analyze/index/partial_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/index/index.h"
#include "analyze/index/tables.h"
#include "analyze/views/views.h"

namespace ktstr {
namespace {

std::string State(const std::string& name) { return std::string(KTSTR_STATE_DIR) + "/" + name; }

class PartialIndexTest : public testing::Test {
 protected:
  void SetUp() override {
    machine_ = FrozenMachine::Open(State("stall.kts")).value();
    index_.emplace(PartialIndex::Open(*machine_, {}).value());
  }
  QueryResult Ask(const std::string& sql) {
    const Status filled = index_->Fill(sql);
    if (!filled) ADD_FAILURE() << filled.error().ToString();
    return index_->database().Query(sql).value();
  }
  Value Count(const std::string& table) {
    return index_->database().Query("SELECT count(*) FROM " + table)->rows.at(0).at(0);
  }

  std::unique_ptr<FrozenMachine> machine_;
  std::optional<PartialIndex> index_;
};

TEST_F(PartialIndexTest, TablesAndViewsAreThoseOfTheIndex) {
  const Database whole = OpenIndex(State("stall.kts"), {.use_file = false}).value();
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
  EXPECT_EQ(Count("task"), Value(int64_t{0}));
  EXPECT_EQ(Count("log"), Value(int64_t{0}));
  // The next question adds to it.
  EXPECT_FALSE(Ask("SELECT * FROM task JOIN cpu ON cpu.curr_pid = task.pid").rows.empty());
  EXPECT_EQ(Count("log"), Value(int64_t{0}));
  EXPECT_FALSE(Ask("SELECT * FROM log_text WHERE log_text MATCH 'Linux'").rows.empty());
  EXPECT_NE(Count("log"), Value(int64_t{0}));
  EXPECT_EQ(Count("cgroup"), Value(int64_t{0}));
  EXPECT_THAT(std::get<std::string>(Ask("SELECT sentence FROM verdict").rows.at(0).at(0)),
              testing::StartsWith("The scheduler ktstr_vtime has dispatched nothing"));
  EXPECT_NE(Count("cgroup"), Value(int64_t{0}));
}

TEST_F(PartialIndexTest, WrongSqlIsForTheQueryToTell) {
  EXPECT_TRUE(index_->Fill("SELECT * FROM no_such_table"));
  EXPECT_TRUE(index_->Fill("not SQL"));
  EXPECT_EQ(index_->database().Query("SELECT * FROM no_such_table").error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(Count("task"), Value(int64_t{0}));
}

}  // namespace
}  // namespace ktstr

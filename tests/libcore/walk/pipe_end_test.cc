// Of pipes on which tasks sleep it is told who has which end open; damage costs what is damaged.
#include "libcore/walk/wait/pipe_end.h"

#include "fixtures/synthetic/file_builder.h"
#include "fixtures/synthetic/sched_builder.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint32_t kRead = 1, kWrite = 2;

class PipeEndTest : public ::testing::Test {
 protected:
  PipeEndTest() {
    pipe_ = guest_.builder().Allocate(256);
    other_ = guest_.builder().Allocate(256);
    reader_ = files_.AddFile(pipe_, kRead);
    writer_ = files_.AddFile(pipe_, kWrite);
  }
  Kva NewTask(uint32_t pid, const synthetic::FileBuilder::Table& table) {
    const Kva task = sched_.AddProcess({.pid = pid});
    files_.Give(task, table);
    return task;
  }
  // "pid fd end" of every row, of a kernel in which one task sleeps on the pipe.
  std::vector<std::string> Walk(const WalkLimits& limits = {}, const char* kind = "pipe") {
    sched_.Finish();
    LockWaitRow wait;
    wait.kind = kind;
    wait.lock_kva = Hex(pipe_);
    auto walked = WalkPipeEnds(guest_.Open(), std::span(&wait, 1), limits);
    EXPECT_TRUE(walked) << walked.error().ToString();
    anomalies_ = std::move(walked->anomalies);
    std::vector<std::string> rows;
    for (const PipeEndRow& row : walked->rows) {
      EXPECT_EQ(row.pipe_kva, Hex(pipe_));
      rows.push_back(std::to_string(row.pid.value_or(-1)) + " " + std::to_string(row.fd) + " " +
                     row.open_for);
    }
    return rows;
  }

  WalkGuest guest_;
  synthetic::SchedBuilder sched_{guest_.builder()};
  synthetic::FileBuilder files_{guest_.builder()};
  Kva pipe_, other_, reader_, writer_;
  std::vector<AnomalyRow> anomalies_;
};

TEST_F(PipeEndTest, EachDescriptorOfEachProcessIsARow) {
  const auto first = files_.AddTable(), second = files_.AddTable(2000);
  NewTask(1, first);
  files_.Open(first, 3, reader_);
  files_.Open(first, 4, writer_);
  files_.Open(first, 5, files_.AddFile(other_, kRead));
  // One that was inherited, far behind, and a FIFO's.
  NewTask(2, second);
  files_.Open(second, 1999, writer_);
  files_.Open(second, 7, files_.AddFile(pipe_, kRead | kWrite));
  // A kernel thread may have none.
  sched_.AddProcess({.pid = 9});
  EXPECT_THAT(Walk(), ElementsAre("1 3 read", "1 4 write", "2 7 both", "2 1999 write"));
  EXPECT_THAT(anomalies_, NoAnomalies());
}

TEST_F(PipeEndTest, ATableThatThreadsShareIsToldOnceForEachProcess) {
  const auto shared = files_.AddTable(), own = files_.AddTable();
  files_.Open(shared, 3, reader_);
  files_.Open(own, 4, writer_);
  const Kva leader = NewTask(1, shared);
  files_.Give(sched_.AddThread(leader, {.pid = 2}), shared);
  files_.Give(sched_.AddThread(leader, {.pid = 3}), own);
  NewTask(4, shared);
  EXPECT_THAT(Walk(), ElementsAre("1 3 read", "1 4 write", "4 3 read"));
  EXPECT_THAT(anomalies_, NoAnomalies());
}

TEST_F(PipeEndTest, WithoutAPipeThatIsWaitedForNothingIsLookedAt) {
  const auto table = files_.AddTable();
  NewTask(1, table);
  files_.Open(table, 3, WalkGuest::Wild());
  EXPECT_THAT(Walk({}, "futex"), IsEmpty());
  EXPECT_THAT(anomalies_, NoAnomalies());
}

// Two processes have the pipe open; the first one's files are damaged as the test says.
class DamagedFilesTest : public PipeEndTest {
 protected:
  DamagedFilesTest() {
    table_ = files_.AddTable(1024);
    intact_ = files_.AddTable();
    task_ = NewTask(1, table_);
    NewTask(2, intact_);
    files_.Open(table_, 3, reader_);
    files_.Open(table_, 700, writer_);
    files_.Open(intact_, 5, writer_);
  }
  synthetic::FileBuilder::Table table_, intact_;
  Kva task_;
};

TEST_F(DamagedFilesTest, AWildPointerToTheFiles) {
  guest_.builder().Set("task_struct", task_, "files", WalkGuest::Wild().value());
  EXPECT_THAT(Walk(), ElementsAre("2 5 write"));
  EXPECT_THAT(anomalies_, HasAnomaly("unmapped", WalkGuest::Wild()));
}

TEST_F(DamagedFilesTest, AnUnmappedTable) {
  const Kva unmapped = guest_.Unmapped();
  guest_.builder().Set("files_struct", table_.files, "fdt", unmapped.value());
  EXPECT_THAT(Walk(), ElementsAre("2 5 write"));
  EXPECT_THAT(anomalies_, HasAnomaly("unmapped", unmapped));
}

TEST_F(DamagedFilesTest, ATableWhosePageWasLeftOut) {
  guest_.LeaveOut(table_.table);
  EXPECT_THAT(Walk(), ElementsAre("2 5 write"));
  EXPECT_THAT(anomalies_, HasAnomaly("unreadable", table_.table));
}

TEST_F(DamagedFilesTest, ATableOfWhichAPageWasLeftOut) {
  guest_.LeaveOut(table_.slots + kPageSize);
  EXPECT_THAT(Walk(), ElementsAre("1 3 read", "2 5 write"));
  EXPECT_THAT(anomalies_, HasAnomaly("unreadable", table_.slots + kPageSize));
}

TEST_F(DamagedFilesTest, AFileThatIsNowhereIsToldOnce) {
  files_.Open(table_, 4, WalkGuest::Wild());
  files_.Open(intact_, 4, WalkGuest::Wild());
  EXPECT_THAT(Walk(), ElementsAre("1 3 read", "1 700 write", "2 5 write"));
  EXPECT_THAT(anomalies_, HasAnomaly("unmapped", WalkGuest::Wild()));
  EXPECT_EQ(anomalies_.size(), 1u);
}

TEST_F(DamagedFilesTest, ATableThatIsItsOwnSlots) {
  // Every pointer of a table leads back to it.
  guest_.builder().Set("fdtable", table_.table, "fd", table_.table.value());
  guest_.builder().Set("fdtable", table_.table, "open_fds", table_.table.value());
  guest_.builder().Set("fdtable", table_.table, "max_fds", 1);
  EXPECT_THAT(Walk(), ElementsAre("2 5 write"));
}

TEST_F(PipeEndTest, TablesOfAllProcessesTogetherHaveALimit) {
  // A page of each process's table has 512 files: 64 pages are more than may be looked at.
  const auto large = files_.AddTable(64 * 512);
  NewTask(1, large);
  files_.Open(large, 3, reader_);
  files_.Open(large, 63 * 512, writer_);
  EXPECT_THAT(Walk({.max_all_nodes = 40}), ElementsAre("1 3 read"));
  EXPECT_THAT(anomalies_, HasAnomaly("cap", large.slots));
}

TEST_F(DamagedFilesTest, ATableLongerThanTheCap) {
  EXPECT_THAT(Walk({.max_nodes = 100}), ElementsAre("1 3 read", "2 5 write"));
  EXPECT_THAT(anomalies_, HasAnomaly("cap", table_.table));
}

}  // namespace
}  // namespace ktstr

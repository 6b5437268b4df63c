// The rules about tasks that wait for each other, or for what cannot come.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "findings_machine.h"
#include "libcore/walk/stack/stack.h"
#include "libcore/walk/wait/pipe_end.h"
#include "libcore/walk/wait/wait.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(FindingsTest, AProcessOfWhichEveryThreadWaitsForAFutex) {
  const auto frame = [](int64_t pid, const char* symbol) {
    StackFrameRow row;
    row.task_kva = Hex(static_cast<uint64_t>(pid));
    row.symbol = symbol;
    return row;
  };
  TaskRow other = Task(6);
  other.tgid = 5;
  const std::vector<TaskRow> tasks = {Task(5), other};
  EXPECT_THAT(FindingsMachine()
                  .With(tasks)
                  .With(std::vector{frame(5, "futex_wait"), frame(6, "__futex_wait")})
                  .Findings(),
              ElementsAre(HasSubstr("futex_without_waker info t5 (5)")));
  EXPECT_THAT(FindingsMachine()
                  .With(tasks)
                  .With(std::vector{frame(5, "futex_wait"), frame(6, "hrtimer_nanosleep")})
                  .Findings(),
              IsEmpty());
}

TEST(FindingsTest, TasksThatWaitForEachOther) {
  const auto waits = [](int64_t pid, int64_t owner) {
    LockWaitRow row;
    row.pid = pid;
    row.kind = "mutex";
    row.task_kva = Hex(static_cast<uint64_t>(pid));
    row.owner_kva = Hex(static_cast<uint64_t>(owner));
    return row;
  };
  const std::vector<TaskRow> tasks = {Task(5), Task(6), Task(7)};
  EXPECT_THAT(
      FindingsMachine()
          .With(tasks)
          .With(std::vector{waits(5, 6), waits(6, 5), waits(7, 5)})
          .Findings(),
      ElementsAre("lock_cycle error t5 (5): waits for a lock in a circle of 2 tasks, itself "
                  "included",
                  "lock_cycle error t6 (6): waits for a lock in a circle of 2 tasks, itself "
                  "included"));
  EXPECT_THAT(FindingsMachine().With(tasks).With(std::vector{waits(5, 6), waits(7, 5)}).Findings(),
              IsEmpty());
}

TEST(FindingsTest, AReaderOfAPipeThatNobodyCanWriteTo) {
  LockWaitRow row;
  row.pid = 5;
  row.comm = "t5";
  row.kind = "pipe";
  row.function = "pipe_read";
  row.pipe_readers = 1;
  row.pipe_writers = 0;
  EXPECT_THAT(FindingsMachine().With(std::vector{row}).Findings(),
              ElementsAre("pipe_without_peer warning t5 (5): waits in pipe_read for a pipe whose "
                          "other end is closed everywhere"));
  row.pipe_writers = 1;
  EXPECT_THAT(FindingsMachine().With(std::vector{row}).Findings(), IsEmpty());
}

// Sleeps on the pipe at 0xf1.
LockWaitRow OnPipe(int64_t pid, const char* function = "pipe_read") {
  LockWaitRow row;
  row.pid = pid;
  row.comm = "t" + std::to_string(pid);
  row.kind = "pipe";
  row.function = function;
  row.lock_kva = Hex(0xf1);
  row.task_kva = Hex(static_cast<uint64_t>(pid));
  row.pipe_readers = row.pipe_writers = 1;
  return row;
}

PipeEndRow PipeEnd(int64_t pid, const char* end, uint64_t file) {
  return {Hex(0xf1), end, pid, 3, Hex(file), Hex(0xf5)};
}

TEST(FindingsTest, AReaderOfAPipeThatOnlySleepersOnItCanWriteTo) {
  const std::vector<PipeEndRow> ends = {PipeEnd(5, "read", 1), PipeEnd(5, "write", 2)};
  const auto found = ElementsAre(
      "pipe_without_waker warning t5 (5): waits in pipe_read for a pipe whose other end is open "
      "only where every thread sleeps on that pipe (processes: 1)");
  const auto guest = [&](std::vector<TaskRow> tasks) {
    return std::move(
        FindingsMachine().With(std::move(tasks)).With(ends).With(std::vector{OnPipe(5)}));
  };
  EXPECT_THAT(guest({Task(5), Task(6)}).Findings(), found);
  // Another thread of the process can write.
  TaskRow thread = Task(7);
  thread.tgid = 5;
  EXPECT_THAT(guest({Task(5), thread}).Findings(), IsEmpty());
  thread.state = "Z";
  EXPECT_THAT(guest({Task(5), thread}).Findings(), found);
}

TEST(FindingsTest, AReaderAndAWriterOfOnePipeThatWaitForEachOther) {
  const std::vector<PipeEndRow> ends = {PipeEnd(5, "read", 1), PipeEnd(6, "write", 2)};
  EXPECT_THAT(FindingsMachine()
                  .With(std::vector{Task(5), Task(6)})
                  .With(ends)
                  .With(std::vector{OnPipe(5), OnPipe(6, "pipe_write")})
                  .Findings(),
              ElementsAre(HasSubstr("pipe_without_waker warning t5 (5)"),
                          HasSubstr("pipe_without_waker warning t6 (6)")));
}

TEST(FindingsTest, APipeWhoseOtherEndIsNotFoundOrCanBeOpenedHasAWaker) {
  const std::vector<TaskRow> tasks = {Task(5), Task(6)};
  const auto findings = [&](std::vector<PipeEndRow> ends) {
    return FindingsMachine()
        .With(tasks)
        .With(std::move(ends))
        .With(std::vector{OnPipe(5)})
        .Findings();
  };
  EXPECT_THAT(findings({PipeEnd(5, "read", 1)}), IsEmpty());
  EXPECT_THAT(findings({PipeEnd(5, "both", 1)}), IsEmpty());
  EXPECT_THAT(findings({PipeEnd(5, "read", 1), PipeEnd(5, "write", 2), PipeEnd(6, "write", 2)}),
              IsEmpty());
}

}  // namespace
}  // namespace ktstr

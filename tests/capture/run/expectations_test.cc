#include "capture/run/expectations.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace ktstr {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

json Task(const char* worker, const char* name, int64_t rounds, int64_t longest_gap_ms,
          int64_t gap_ms = 0) {
  return {{"worker", worker},
          {"name", name},
          {"rounds", rounds},
          {"ran_ns", 2'000'000'000},
          {"longest_gap_ns", longest_gap_ms * 1'000'000},
          {"gap_ns", gap_ms * 1'000'000}};
}

const json kWorkers = {Task("spin", "spin-0", 100, 30), Task("spin", "spin-1", 300, 40),
                       Task("sleep", "sleep-0", 4, 500, 900)};

TEST(Expectations, GapsAreOfEachTaskAndCountTheOneThatStillLasts) {
  Expectation expectation = {.worker = "spin", .max_gap = milliseconds(40)};
  EXPECT_THAT(CheckWorkers(expectation, kWorkers), IsEmpty());
  expectation.max_gap = milliseconds(35);
  EXPECT_THAT(CheckWorkers(expectation, kWorkers),
              ElementsAre("spin-1 did nothing for 40 ms at a time; 35 ms is allowed"));
  expectation = {.worker = "sleep", .max_gap = milliseconds(600)};
  EXPECT_THAT(CheckWorkers(expectation, kWorkers),
              ElementsAre("sleep-0 did nothing for 900 ms at a time; 600 ms is allowed"));
}

TEST(Expectations, TheSlowestTaskMustDoItsRounds) {
  Expectation expectation = {.worker = "spin", .min_rounds_per_s = 50};
  EXPECT_THAT(CheckWorkers(expectation, kWorkers), IsEmpty());
  expectation.min_rounds_per_s = 51;
  EXPECT_THAT(CheckWorkers(expectation, kWorkers),
              ElementsAre("spin-0 did 50.0 rounds per second; at least 51 are expected"));
}

TEST(Expectations, TheSpreadIsOverTheMean) {
  Expectation expectation = {.worker = "spin", .max_spread = 1.0};
  EXPECT_THAT(CheckWorkers(expectation, kWorkers), IsEmpty());
  expectation.max_spread = 0.9;
  EXPECT_THAT(
      CheckWorkers(expectation, kWorkers),
      ElementsAre("the tasks of spin did between 50.0 and 150.0 rounds per second, a spread "
                  "of 1.00; 0.9 is allowed"));
}

TEST(Expectations, OfAllTheOnesAboutWorkersSayInTheirOwnWordsWhatIsWrong) {
  const std::vector<Expectation> expectations = {
      {.worker = "spin", .max_gap = milliseconds(35), .message = "it is slow"},
      {.sql = "SELECT 1"},
      {.worker = "sleep", .max_gap = milliseconds(600)},
      {.worker = "spin", .min_rounds_per_s = 50}};
  EXPECT_THAT(CheckAllWorkers(expectations, kWorkers),
              ElementsAre("it is slow: spin-1 did nothing for 40 ms at a time; 35 ms is allowed",
                          "sleep-0 did nothing for 900 ms at a time; 600 ms is allowed"));
}

TEST(Expectations, TasksThatDidNothingAtAllAreNotEvenlySpread) {
  const json idle = {Task("spin", "spin-0", 0, 1), Task("spin", "spin-1", 0, 1)};
  EXPECT_EQ(CheckWorkers({.worker = "spin", .max_spread = 0.5}, idle).size(), 1u);
}

TEST(Expectations, AWorkerWithoutTasksDoesNotMeetThem) {
  EXPECT_THAT(CheckWorkers({.worker = "pipe", .max_spread = 1}, kWorkers),
              ElementsAre("no task of the worker pipe ran"));
}

TEST(Expectations, RowsAreWantedOrNot) {
  const json none = json::array(), some = {{{"comm", "spin\x1b[31m"}}, {{"comm", "x"}}};
  EXPECT_EQ(CheckRows({.sql = "SELECT 1"}, none), "");
  EXPECT_EQ(CheckRows({.sql = "SELECT 1"}, some),
            R"('SELECT 1': 2 rows, the first {"comm":"spin\u001b[31m"})");
  EXPECT_EQ(CheckRows({.sql = "SELECT 1", .wants_rows = true}, some), "");
  EXPECT_EQ(CheckRows({.sql = "SELECT 1", .wants_rows = true, .message = "it is on"}, none),
            "it is on: no rows");
}

}  // namespace
}  // namespace ktstr

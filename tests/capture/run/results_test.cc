// How results are shown: to people, and to CI systems.
#include <gmock/gmock.h>

#include "capture/run/ci_result.h"
#include "capture/run/live_view.h"
#include "capture/run/reference.h"
#include "capture/scenario/trigger_spec.h"

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TestResult Passed() {
  TestResult result;
  result.name = "healthy";
  result.verdict = Verdict::kPassed;
  result.duration = milliseconds(3140);
  return result;
}

TestResult Failed() {
  TestResult result;
  result.name = "stall";
  result.verdict = Verdict::kFailed;
  result.trigger = "stall";
  result.problems = {"a <b> & \"c\" \x1b[31m waits"};
  result.archives = {"out/stall.kts"};
  result.log = "out/stall.log";
  result.duration = milliseconds(1500);
  return result;
}

TEST(Results, APassedTestIsOneLine) {
  EXPECT_EQ(ResultText(Passed()), "healthy                  passed         3.1 s\n");
}

TEST(Results, OneThatWasWokenSaysFromWhat) {
  TestResult result = Passed();
  result.began_from = "a warmed-up state";
  EXPECT_EQ(ResultText(result),
            "healthy                  passed         3.1 s, from a warmed-up state\n");
  EXPECT_EQ(ForCi(result).output, "began from a warmed-up state\n");
}

TEST(Results, AFailedOneSaysWhyAndWhereItsMachineIs) {
  EXPECT_EQ(ResultText(Failed()),
            "stall                    FAILED         1.5 s\n"
            "    stall: a <b> & \"c\" \\x1b[31m waits\n"
            "    kept out/stall.kts\n");
}

TEST(Results, WhereTheTimeWentIsToldWhoAsks) {
  TestResult result = Passed();
  result.steps = {{"machine", milliseconds(2900)}, {"phase work", milliseconds(200)}};
  EXPECT_EQ(ResultText(result), ResultText(Passed()));
  EXPECT_EQ(ResultText(result, true),
            ResultText(Passed()) + "    machine 2.900 s, phase work 0.200 s\n");
}

TEST(Results, WhatIsDoneInTurnsIsOneStep) {
  StepTimes times;
  times.Begin("work");
  std::string before = times.Begin("keeping");
  EXPECT_EQ(before, "work");
  EXPECT_EQ(times.Begin(std::move(before)), "keeping");
  const TimeOfSteps steps = std::move(times).End();
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].first, "work");
  EXPECT_EQ(steps[1].first, "keeping");
}

TEST(Results, CiIsToldTheTriggerAndWhereTheMachineIs) {
  const CaseResult ci = ForCi(Failed());
  EXPECT_EQ(ci.outcome, CaseResult::Outcome::kFailed);
  EXPECT_EQ(ci.type, "stall");
  EXPECT_EQ(ci.output, "log: out/stall.log\narchive: out/stall.kts\n");
  EXPECT_EQ(ForCi(Passed()).outcome, CaseResult::Outcome::kPassed);

  TestResult error;
  error.problems = {"QEMU is gone", "no log"};
  EXPECT_EQ(ForCi(error).outcome, CaseResult::Outcome::kError);
  EXPECT_EQ(ForCi(error).type, "ERROR");
  EXPECT_EQ(ForCi(error).message, "QEMU is gone; no log");
}

TEST(Results, TheReferenceNamesEveryTrigger) {
  const std::string text = ScenarioReference();
  for (const TriggerEntry& entry : kTriggerCatalog) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(entry.name) + " "));
  }
  // It fits a terminal.
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    EXPECT_LE(end - begin, 98u) << text.substr(begin, end - begin);
  }
}

}  // namespace
}  // namespace ktstr

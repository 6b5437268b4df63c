// Results as CI systems read them.
#include <gtest/gtest.h>

#include "libcore/results/junit.h"
#include "libcore/results/tap.h"

namespace ktstr {
namespace {

using Outcome = CaseResult::Outcome;

std::vector<CaseResult> Four() {
  return {{"a.kts", "no_stall", Outcome::kPassed, "", "", "", std::chrono::milliseconds(3140)},
          {"a.kts", "no_exit #1", Outcome::kFailed, "error", "a <b> & \"c\" \x1b[31m waits\nof old",
           "kept", std::chrono::milliseconds(1500)},
          {"", "broken", Outcome::kError, "error", "no such table", "", {}},
          {"a.kts", "no_scx", Outcome::kSkipped, "error", "", "", {}}};
}

TEST(ResultsTest, JunitHasCountsTimesAndEscapedText) {
  EXPECT_EQ(ToJunit("rules", Four()),
            R"(<?xml version="1.0"?>
<testsuites>
  <testsuite name="rules" tests="4" failures="1" errors="1" skipped="1" time="4.640">
    <testcase classname="a.kts" name="no_stall" time="3.140" />
    <testcase classname="a.kts" name="no_exit #1" time="1.500">
      <failure type="error" message="a &lt;b> &amp; &quot;c&quot; \x1b[31m waits&#10;of old" />
      <system-out>kept</system-out>
    </testcase>
    <testcase classname="" name="broken" time="0.000">
      <error type="error" message="no such table" />
    </testcase>
    <testcase classname="a.kts" name="no_scx" time="0.000">
      <skipped />
    </testcase>
  </testsuite>
</testsuites>
)");
}

TEST(ResultsTest, TapHasAPlanAndABlockForEachFailure) {
  EXPECT_EQ(ToTap(Four()), R"(TAP version 14
1..4
ok 1 - a.kts: no_stall
not ok 2 - a.kts: no_exit \#1
  ---
  type: |
    error
  message: |
    a <b> & "c" \x1b[31m waits
    of old
  output: |
    kept
  ...
not ok 3 - broken
  ---
  type: |
    error
  message: |
    no such table
  ...
ok 4 - a.kts: no_scx # SKIP not applicable
)");
}

}  // namespace
}  // namespace ktstr

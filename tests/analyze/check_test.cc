// Rules: how they are written down, and what becomes of them.
#include "analyze/check/check.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "analyze/findings/findings.h"
#include "analyze/index/index.h"
#include "libcore/results/junit.h"
#include "libcore/results/tap.h"

namespace ktstr {
namespace {

using testing::HasSubstr;
using Outcome = RuleResult::Outcome;

std::string Wrong(std::string_view text) {
  const auto rules = ParseRules(text, "r.toml");
  return rules ? "nothing is wrong" : rules.error().message();
}

TEST(RulesTest, AreReadWithTheirDefaults) {
  const auto rules = ParseRules(R"(
[[rule]]
name = "a"
message = "m"
sql = "SELECT 1"
[[rule]]
name = "b"
severity = "info"
message = "n"
when = "SELECT 2"
rows = "some"
sql = """
SELECT 3"""
)",
                                "r.toml");
  ASSERT_TRUE(rules) << rules.error().ToString();
  ASSERT_EQ(rules->size(), 2u);
  EXPECT_EQ((*rules)[0].severity, Severity::kError);
  EXPECT_FALSE((*rules)[0].wants_rows);
  EXPECT_EQ((*rules)[0].place, "r.toml:5");
  EXPECT_EQ((*rules)[1].severity, Severity::kInfo);
  EXPECT_TRUE((*rules)[1].wants_rows);
  EXPECT_EQ((*rules)[1].when, "SELECT 2");
}

TEST(RulesTest, MistakesAreToldWithTheirLine) {
  constexpr const char* kRule = "[[rule]]\nname = 'a'\nmessage = 'm'\nsql = 'SELECT 1'\n";
  EXPECT_EQ(Wrong(""), "r.toml: there is no [[rule]] in it");
  EXPECT_THAT(Wrong("[[rule]"), HasSubstr("r.toml:1: "));
  EXPECT_THAT(Wrong("[[rules]]\nname = 'a'"), HasSubstr("'rule'"));
  EXPECT_EQ(Wrong("[[rule]]\nname = 'a'\nsql = 'x'"), "r.toml:1: [[rule]] needs 'message'");
  EXPECT_THAT(Wrong(std::string(kRule) + "severity = 'warn'"), HasSubstr("'warning'"));
  EXPECT_THAT(Wrong(std::string(kRule) + "serverity = 'info'"), HasSubstr("r.toml:5: "));
  EXPECT_EQ(Wrong(std::string(kRule) + kRule), "r.toml:6: another rule is called 'a' too");
  EXPECT_EQ(Wrong("[[rule]]\nname = 'a'\nmessage = ' '\nsql = 'x'"),
            "r.toml:3: 'message' says nothing");
  EXPECT_EQ(ReadRules("no/such.toml").error().code(), ErrorCode::kNotFound);
}

TEST(RulesTest, AllMistakesAreToldAtOnceAndNoneThatComesOfAnother) {
  EXPECT_EQ(
      Wrong(R"([[rule]]
nme = "a"
sql = "SELECT 1"
[[rule]]
name = "b"
message = "m"
severity = "fatal"
rows = "all"
sql = ""
[[rule]]
findings = ["lost_tsk", "long_wiat"]
)"),
      "r.toml:1: [[rule]] needs 'name'; r.toml:1: [[rule]] needs 'message'; "
      "r.toml:2: unknown key in [[rule]]: 'nme'; did you mean 'name'?; "
      "r.toml:7: unknown word for 'severity' of [[rule]]: 'fatal'; there are error, warning, info; "
      "r.toml:8: unknown word for 'rows' of [[rule]]: 'all'; there are none, some; "
      "r.toml:9: 'sql' says nothing; "
      "r.toml:11: unknown finding 'lost_tsk'; did you mean 'lost_task'?; "
      "r.toml:11: unknown finding 'long_wiat'; did you mean 'long_wait'?");
}

std::vector<Rule> FourRules() {
  return *ParseRules(R"(
[[rule]]
name = "some"
message = "there is one"
rows = "some"
sql = "SELECT n FROM t WHERE n = 2"
[[rule]]
name = "none"
severity = "warning"
message = "there is no large one"
sql = "SELECT n FROM t WHERE n > 1 ORDER BY n"
[[rule]]
name = "elsewhere"
message = "is not asked"
when = "SELECT 1 FROM t WHERE n > 99"
sql = "SELECT nonsense"
[[rule]]
name = "broken"
message = "cannot be asked"
sql = "SELECT m FROM t"
)",
                     "r.toml");
}

class CheckTest : public testing::Test {
 protected:
  CheckTest() : database_(*Database::InMemory()) {
    EXPECT_TRUE(database_.Execute("CREATE TABLE t (n); INSERT INTO t VALUES (1), (2), (3), (4)"));
  }
  std::vector<RuleResult> Run() { return RunRules(database_, rules_, {.kept_rows = 2}); }

  Database database_;
  std::vector<Rule> rules_ = FourRules();
};

TEST_F(CheckTest, ARuleHoldsFailsDoesNotApplyOrCannotBeAsked) {
  const auto results = Run();
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0].outcome, Outcome::kHolds);
  EXPECT_EQ(results[1].outcome, Outcome::kFails);
  EXPECT_EQ(results[1].all_rows, 3u);
  EXPECT_EQ(results[1].rows.rows, (std::vector<std::vector<Value>>{{int64_t{2}}, {int64_t{3}}}));
  EXPECT_EQ(results[2].outcome, Outcome::kNotApplicable);
  EXPECT_EQ(results[3].outcome, Outcome::kError);
  EXPECT_THAT(results[3].error, HasSubstr("r.toml:20: "));
  EXPECT_THAT(results[3].error, HasSubstr("no such column: m"));
}

// A machine that ran while it was read: what lies in several places is of several moments.
TEST_F(CheckTest, WhatNeedsAMachineThatStoodStillDoesNotApplyToOneThatRan) {
  const auto rules = ParseRules(R"(
[[rule]]
name = "compares"
message = "both are the same"
still = true
sql = "SELECT 1"
[[rule]]
findings = ["wrong_cpu"]
[[rule]]
name = "looks"
message = "there is none"
sql = "SELECT n FROM t WHERE n > 4"
)",
                                "r.toml")
                         .value();
  EXPECT_TRUE(rules[0].still);
  EXPECT_TRUE(rules[1].still);
  EXPECT_FALSE(rules[2].still);
  ASSERT_TRUE(
      database_.Execute("CREATE TABLE machine (key, value); INSERT INTO machine VALUES "
                        "('release', '6.12')"));
  EXPECT_EQ(RunRules(database_, rules)[0].outcome, Outcome::kFails);
  ASSERT_TRUE(database_.Execute("INSERT INTO machine VALUES ('ran_while_read', '1')"));
  const auto results = RunRules(database_, rules);
  EXPECT_EQ(results[0].outcome, Outcome::kNotApplicable);
  EXPECT_EQ(results[1].outcome, Outcome::kNotApplicable);
  EXPECT_EQ(results[2].outcome, Outcome::kHolds);
}

// A machine in whose memory no kernel was found: its tables are empty, and that says nothing.
TEST_F(CheckTest, WithoutAKernelNothingHolds) {
  const auto rules = ParseRules(R"(
[[rule]]
name = "none"
message = "there is none"
sql = "SELECT n FROM t WHERE n > 4"
)",
                                "r.toml")
                         .value();
  ASSERT_TRUE(database_.Execute("CREATE TABLE machine (key, value)"));
  EXPECT_EQ(RunRules(database_, rules)[0].outcome, Outcome::kNotApplicable);
  ASSERT_TRUE(database_.Execute("INSERT INTO machine VALUES ('release', '6.12')"));
  EXPECT_EQ(RunRules(database_, rules)[0].outcome, Outcome::kHolds);
}

TEST_F(CheckTest, TheTextShowsWhatFailsWithItsFirstRows) {
  EXPECT_THAT(ToText(Run(), 80), testing::StartsWith(R"(ok    error   some      there is one
FAILS warning none      there is no large one
      n
      2
      3
      and 1 more
-     error   elsewhere is not asked (not applicable)
ERROR error   broken    cannot be asked
      r.toml:20: )"));
  EXPECT_THAT(
      ToText(Run(), 80),
      testing::EndsWith("4 rules: 1 hold, 1 fail, 1 could not be asked, 1 not applicable\n"));
}

TEST_F(CheckTest, CiIsToldTheSame) {
  const auto cases = ForCi(Run(), "a.kts", Severity::kWarning);
  EXPECT_EQ(cases[0].outcome, CaseResult::Outcome::kPassed);
  EXPECT_EQ(cases[1].outcome, CaseResult::Outcome::kFailed);
  EXPECT_EQ(cases[1].group, "a.kts");
  EXPECT_EQ(cases[1].message, "not so: there is no large one");
  EXPECT_THAT(cases[1].output, HasSubstr("and 1 more"));
  EXPECT_EQ(cases[2].outcome, CaseResult::Outcome::kSkipped);
  EXPECT_EQ(cases[3].outcome, CaseResult::Outcome::kError);
}

// Of each severity, CI is told of a failure exactly where the exit code tells of one.
TEST_F(CheckTest, WhatIsLessSevereThanAskedForPassesInCiAsItDoesInTheExitCode) {
  rules_.pop_back();  // without the one that cannot be asked, which always counts
  for (const Severity fail_on : {Severity::kError, Severity::kWarning, Severity::kInfo}) {
    const auto results = Run();
    const auto cases = ForCi(results, "a.kts", fail_on);
    const bool ci_fails = std::ranges::any_of(
        cases, [](const CaseResult& ci) { return ci.outcome == CaseResult::Outcome::kFailed; });
    EXPECT_EQ(ci_fails, SomethingFails(results, fail_on));
    EXPECT_EQ(ci_fails, fail_on != Severity::kError);
    EXPECT_THAT(cases[1].output, HasSubstr("and 1 more"));
  }
  const auto cases = ForCi(Run(), "a.kts", Severity::kError);
  EXPECT_THAT(cases[1].output, testing::StartsWith("warning: not so: there is no large one\n"));
  EXPECT_THAT(ToJunit("s", cases), HasSubstr("failures=\"0\""));
  EXPECT_THAT(ToTap(cases), HasSubstr("ok 2 - a.kts: none\n  ---\n"));
  EXPECT_THAT(ToTap(cases), testing::Not(HasSubstr("not ok")));
}

// On real frozen machines: which of the built-in rules each one breaks.
struct BrokenRules {
  const char* name;
  std::vector<std::string> fails;
};

class BuiltInRulesTest : public testing::TestWithParam<BrokenRules> {};

TEST_P(BuiltInRulesTest, FindWhatTheMachineDiedOf) {
  const auto archive =
      std::filesystem::path(KTSTR_STATE_DIR) / (std::string(GetParam().name) + ".kts");
  const auto index = OpenIndex(archive, {.use_file = false});
  ASSERT_TRUE(index) << index.error().ToString();
  std::vector<std::string> fails;
  for (const RuleResult& result : RunRules(*index, BuiltInRules())) {
    EXPECT_NE(result.outcome, Outcome::kError) << result.error;
    if (result.outcome == Outcome::kFails) fails.push_back(result.rule->name);
  }
  EXPECT_EQ(fails, GetParam().fails);
}

INSTANTIATE_TEST_SUITE_P(
    States, BuiltInRulesTest,
    testing::Values(BrokenRules{"stall",
                                {"scheduler_stalled", "dsq_piled_up", "idle_beside_work",
                                 "not_allowed_on_idle_cpus", "long_wait"}},
                    BrokenRules{"lost-task", {"lost_task", "long_wait"}},
                    BrokenRules{"wrong-cpu", {"scheduler_ended"}},
                    BrokenRules{"scx-error", {"scheduler_ended"}},
                    BrokenRules{"self-exit", {"scheduler_ended"}},
                    BrokenRules{"starve-cgroup", {"dsq_unconsumed", "dsq_piled_up", "long_wait"}},
                    BrokenRules{"panic", {"kernel_crashed", "kernel_in_trouble"}},
                    BrokenRules{"oops", {"kernel_crashed", "kernel_in_trouble"}},
                    BrokenRules{"soft-lockup",
                                {"cpu_stuck", "kernel_in_trouble", "watchdog_near", "dsq_piled_up",
                                 "long_wait"}},
                    BrokenRules{"rt-hog", {"dsq_piled_up", "long_wait", "cpu_hog"}}),
    [](const testing::TestParamInfo<BrokenRules>& info) {
      std::string name = info.param.name;
      std::erase(name, '-');
      return name;
    });

// Every finding has a rule that is about it, and "other_findings" catches none that it should not.
TEST(BuiltInRules, KnowEveryFinding) {
  std::string all;
  for (const Rule& rule : BuiltInRules()) {
    if (rule.name != "other_findings") all += rule.sql;
  }
  for (const FindingRule& finding : FindingRules()) {
    EXPECT_THAT(all, HasSubstr("'" + std::string(finding.name) + "'"));
  }
}

TEST(FindingRule, AFindingSaysItself) {
  const auto rules = ParseRules(R"(
[[rule]]
findings = ["lost_task"]
[[rule]]
name = "mine"
severity = "info"
findings = ["long_wait"]
[[rule]]
name = "rest"
message = "nothing else"
findings = ["others"]
)",
                                "mine.toml");
  ASSERT_TRUE(rules) << rules.error().ToString();
  EXPECT_EQ((*rules)[0].name, "lost_task");
  EXPECT_EQ((*rules)[0].severity, Severity::kError);
  EXPECT_EQ((*rules)[0].message, "every runnable task of sched_ext's stands in a dispatch queue");
  EXPECT_EQ((*rules)[0].when, "SELECT 1 FROM scx");
  EXPECT_EQ((*rules)[0].place, "mine.toml:3");
  EXPECT_EQ((*rules)[1].name, "mine");
  EXPECT_EQ((*rules)[1].severity, Severity::kInfo);
  EXPECT_THAT((*rules)[1].message, HasSubstr("no runnable task has waited"));
  EXPECT_THAT((*rules)[2].sql, HasSubstr("NOT IN ('lost_task', 'long_wait')"));
}

TEST(FindingRule, MistakesAreTold) {
  const auto problem = [](const std::string& rule) {
    const auto rules = ParseRules("[[rule]]\n" + rule, "r.toml");
    return rules ? "none" : rules.error().ToString();
  };
  EXPECT_THAT(problem("findings = [\"lost_tsk\"]"),
              HasSubstr("r.toml:2: unknown finding 'lost_tsk'; did you mean 'lost_task'?"));
  EXPECT_THAT(problem("findings = []"), HasSubstr("names none"));
  EXPECT_THAT(problem("findings = [\"damage\"]\nsql = \"SELECT 1\""), HasSubstr("not both"));
  EXPECT_THAT(problem("findings = [\"damage\", \"lost_task\"]"), HasSubstr("name"));
}

}  // namespace
}  // namespace ktstr

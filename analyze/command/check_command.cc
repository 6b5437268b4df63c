// ktstr-analyze FILE check
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "analyze/command/check_arguments.h"
#include "analyze/command/command.h"
#include "analyze/text/output.h"
#include "libcore/base/text_file.h"
#include "libcore/results/junit.h"
#include "libcore/results/tap.h"

namespace ktstr {

namespace {

struct Arguments : CheckArguments {
  bool list = false;
};

Result<std::string> RulesText(const std::vector<Rule>& rules, bool json) {
  QueryResult table{{"severity", "rule", "message", "rows", "sql", "when"}, {}};
  if (!json) table.columns.resize(3);
  for (const Rule& rule : rules) {
    auto& row = table.rows.emplace_back(
        std::vector<Value>{std::string(SeverityName(rule.severity)), rule.name, rule.message});
    if (!json) continue;
    row.push_back(std::string(rule.wants_rows ? "some" : "none"));
    row.push_back(rule.sql);
    row.push_back(rule.when.empty() ? Value() : Value(rule.when));
  }
  return json ? ToJson(table) : ToTextTable(table, {TerminalWidth()});
}

Result<std::string> Check(Session& session, const Arguments& arguments) {
  const std::vector<Rule> rules = KTSTR_TRY(ChooseRules(arguments));
  if (arguments.list) return RulesText(rules, session.json());
  const Database& index = *KTSTR_TRY(session.Index());
  const auto results = RunRules(index, rules, arguments.options);
  if (!HasKernel(index)) session.set_exit_code(ExitCode::kBadInput);
  const Severity fail_on = KTSTR_TRY(ParseSeverity(arguments.fail_on));
  if (SomethingFails(results, fail_on)) session.set_exit_code(ExitCode::kAnswerIsNo);
  const std::string archive = session.Name();
  if (!arguments.junit.empty()) {
    KTSTR_TRY(WriteTextFile(arguments.junit,
                            ToJunit("ktstr-analyze", ForCi(results, archive, fail_on)),
                            Readers::kByUmask));
  }
  if (arguments.tap) return ToTap(ForCi(results, archive, fail_on));
  return session.json() ? ToJson(results) : ToText(results, TerminalWidth());
}

void DeclareCheck(Options* check, Command* chosen) {
  auto arguments = std::make_shared<Arguments>();
  AddCheckOptions(check, arguments.get());
  check->Add("--list", &arguments->list, "Show the rules and check nothing");
  check->SetFooter(
      "A rule is a query that must give no rows, or must give some:\n"
      "  [[rule]]\n"
      "  name = \"nobody_waits\"\n"
      "  severity = \"error\"            # or warning, info\n"
      "  message = \"no task waits for longer than 5 s\"\n"
      "  when = \"SELECT 1 FROM scx\"    # optional: only where this gives rows\n"
      "  rows = \"none\"                 # what must come: none (the default) or some\n"
      "  still = true                  # not applicable where the machine ran while it was read\n"
      "  sql = \"SELECT comm, pid FROM task WHERE scx_waiting_ms > 5000\"\n\n"
      "or that some findings are not there, whose own words say the rest:\n"
      "  [[rule]]\n"
      "  findings = [\"lost_task\"]\n\n"
      "Examples:\n"
      "  ktstr-analyze demo.kts check\n"
      "  ktstr-analyze demo.kts check --rules mine.toml --built-in --junit check.xml\n"
      "  ktstr-analyze check --list --json");
  check->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Check(session, *arguments); };
  });
}

}  // namespace

void AddCheckCommand(Options* app, Command* chosen) {
  app->AddSubcommand("check", "Hold the machine against rules; exit code 1 when one of them fails",
                     [chosen](Options* check) { DeclareCheck(check, chosen); });
}

}  // namespace ktstr

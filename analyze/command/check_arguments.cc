#include "analyze/command/check_arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "analyze/command/common_options.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

// Only the rules of these names, in the rules' order.
Result<std::vector<Rule>> Named(std::vector<Rule> rules, const std::vector<std::string>& names) {
  std::vector<std::string_view> known;
  for (const Rule& rule : rules) known.push_back(rule.name);
  for (const std::string& name : names) {
    if (std::ranges::find(known, name) != known.end()) continue;
    return Fail(ErrorCode::kInvalidArgument, UnknownWord("rule", name, known));
  }
  std::erase_if(
      rules, [&](const Rule& rule) { return std::ranges::find(names, rule.name) == names.end(); });
  return rules;
}

std::vector<std::string> BuiltInRuleNames() {
  std::vector<std::string> names;
  for (const Rule& rule : BuiltInRules()) names.push_back(rule.name);
  return names;
}

}  // namespace

void AddCheckOptions(Options* command, CheckArguments* arguments) {
  command
      ->Add("--rules", &arguments->files,
            "A TOML file of rules to check instead of the built-in ones; may be repeated")
      .TypeName("FILE")
      .Files(".toml");
  command->Add("--built-in", &arguments->built_in, "The built-in rules as well as --rules");
  command->Add("--only", &arguments->only, "Only these rules, by name")
      .TypeName("NAME,...")
      .Delimiter(',')
      .Offer(BuiltInRuleNames);
  command
      ->Add("--fail-on", &arguments->fail_on,
            "Exit code 1, and a failure in --junit and --tap, for rules of this severity or worse: "
            "error, warning or info")
      .TypeName("SEVERITY")
      .Offer([] {
        return std::vector<std::string>{"error", "warning", "info"};
      })
      .ShowDefault();
  command->Add("--tap", &arguments->tap, "Results as TAP (Test Anything Protocol)");
  command->Add("--junit", &arguments->junit, "Write results as JUnit XML too").TypeName("OUT");
  command
      ->Add("--rows", &arguments->options.kept_rows,
            "Show at most that many rows of a rule that fails")
      .TypeName("N")
      .ShowDefault();
  AddTimeoutOption(command, &arguments->options.timeout_s);
}

Result<std::vector<Rule>> ChooseRules(const CheckArguments& arguments) {
  KTSTR_TRY(ParseSeverity(arguments.fail_on));
  std::vector<Rule> rules;
  if (arguments.files.empty() || arguments.built_in) rules = BuiltInRules();
  for (const std::string& file : arguments.files) {
    for (Rule& rule : KTSTR_TRY(ReadRules(file))) rules.push_back(std::move(rule));
  }
  if (arguments.only.empty()) return rules;
  return Named(std::move(rules), arguments.only);
}

}  // namespace ktstr

#include "analyze/shell/dot_commands.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <charconv>

#include "analyze/index/cells.h"
#include "analyze/shell/words.h"
#include "analyze/text/output.h"
#include "analyze/text/schema.h"
#include "libcore/base/nearest_word.h"
#include "libcore/cli/parse.h"

namespace ktstr {

namespace {

using Words = std::vector<std::string>;

struct Context {
  Session& session;
  ShellSettings& settings;
};

struct DotCommand {
  std::string_view name, argument, meaning;
  Result<std::string> (*run)(const Context&, const Words&);  // the words behind the name
};

constexpr std::pair<std::string_view, OutputFormat> kFormats[] = {{"table", OutputFormat::kText},
                                                                  {"json", OutputFormat::kJson},
                                                                  {"csv", OutputFormat::kCsv},
                                                                  {"line", OutputFormat::kLine}};

tl::unexpected<Error> Usage(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

Result<std::string> ListTables(const Context&, const Words& words) {
  const std::string pattern = words.empty() ? "%" : words[0];
  std::vector<std::string> names;
  for (const auto& row : SchemaList().rows) {
    const auto& kind = TextOf(row[0]);
    const auto& name = TextOf(row[1]);
    if (kind != "table" && kind != "view") continue;
    if (sqlite3_strlike(pattern.c_str(), name.c_str(), 0) == 0) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return InColumns(names, TerminalWidth());
}

Result<std::string> Mode(const Context& context, const Words& words) {
  std::vector<std::string_view> names;
  for (const auto& [name, format] : kFormats) {
    names.push_back(name);
    if (words.empty() && format == context.session.format()) return std::string(name) + "\n";
    if (words.empty() || words[0] != name) continue;
    context.session.set_format(format);
    return std::string();
  }
  return Usage(UnknownWord("mode", words.empty() ? "" : words[0], names));
}

Result<std::string> Timeout(const Context& context, const Words& words) {
  double& timeout_s = context.settings.limits.timeout_s;
  if (words.empty()) return fmt::format("{} s\n", timeout_s);
  const auto* end = words[0].data() + words[0].size();
  double seconds = 0;
  const auto parsed = std::from_chars(words[0].data(), end, seconds);
  if (parsed.ec != std::errc() || parsed.ptr != end || !(seconds >= 0)) {
    return Usage(fmt::format("'{}' is no number of seconds (0: no limit)", words[0]));
  }
  timeout_s = seconds;
  return std::string();
}

Result<std::string> Limit(const Context& context, const Words& words) {
  size_t& max_rows = context.settings.limits.max_rows;
  if (words.empty())
    return max_rows == SIZE_MAX ? "all rows\n" : fmt::format("{} rows\n", max_rows);
  const auto* end = words[0].data() + words[0].size();
  size_t rows = 0;
  const auto parsed = std::from_chars(words[0].data(), end, rows);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return Usage(fmt::format("'{}' is no number of rows (0: all)", words[0]));
  }
  max_rows = rows == 0 ? SIZE_MAX : rows;
  return std::string();
}

Result<std::string> NullValue(const Context& context, const Words& words) {
  context.session.set_null(words.empty() ? "" : words[0]);
  return std::string();
}

Result<std::string> ReadFile(const Context& context, const Words& words) {
  if (words.empty()) return Usage("which file? .read FILE");
  KTSTR_TRY(context.settings.read_file(words[0]));
  return std::string();
}

Result<std::string> Quit(const Context& context, const Words&) {
  context.settings.end = true;
  return std::string();
}

Result<std::string> Help(const Context& context, const Words& words);

constexpr DotCommand kCommands[] = {
    {"help", "[COMMAND]", "This, or how a command is used", Help},
    {"tables", "[PATTERN]", "Names of tables and views; % in PATTERN is anything", ListTables},
    {"mode", "table|json|csv|line", "How answers are written", Mode},
    {"timeout", "S", "End queries after that many seconds; 0: never", Timeout},
    {"limit", "ROWS", "Show the first rows only; 0: all", Limit},
    {"nullvalue", "TEXT", "What stands for NULL in text", NullValue},
    {"read", "FILE", "Run the statements in a file", ReadFile},
    {"quit", "", "End, as Ctrl-D does", Quit},
    {"exit", "", "The same", Quit},
};

// The program's own subcommands, as a command line of their own.
struct Questions {
  Options app{"", ""};
  Command chosen;
  bool json = false;

  Questions() {
    app.Add("--json", &json, "JSON, with all columns");
    app.UnderstandBehindSubcommands();
    app.SetSubcommandNeed(SubcommandNeed::kRequired);
    AddQuestionCommands(&app, &chosen);
  }
};

// A subcommand's name here: .read is another thing to those who know SQLite's shell.
std::string NameHere(const std::string& subcommand) {
  return subcommand == "read" ? "bytes" : subcommand;
}

std::vector<std::string> QuestionNames() {
  const Questions questions;
  std::vector<std::string> names;
  for (const Options& command : questions.app.subcommands()) {
    names.push_back(NameHere(command.name()));
  }
  return names;
}

Result<std::string> AskQuestion(Session& session, const std::string& name, Words words) {
  Questions questions;
  words.insert(words.begin(), name == NameHere("read") ? "read" : name);
  const ParsedWords parsed = ParseWords(questions.app, std::move(words));
  if (parsed.kind == ParsedWords::Kind::kWrong) {
    return Usage(fmt::format(".{}: {}", name, parsed.wrong));
  }
  if (parsed.kind == ParsedWords::Kind::kAnswer) return parsed.text;
  const OutputFormat format = session.format();
  if (questions.json) session.set_format(OutputFormat::kJson);
  auto answer = questions.chosen(session);
  session.set_format(format);
  if (answer && questions.json) return EscapeControls(*answer);
  return answer;
}

std::string HelpLine(std::string_view usage, std::string_view meaning) {
  return fmt::format("  {:<26} {}\n", usage, meaning);
}

Result<std::string> Help(const Context& context, const Words& words) {
  if (!words.empty()) {
    const std::string name = words[0].starts_with('.') ? words[0].substr(1) : words[0];
    for (const DotCommand& command : kCommands) {
      if (command.name != name) continue;
      return HelpLine(fmt::format(".{} {}", name, command.argument), command.meaning);
    }
    return RunDotCommand("." + name + " --help", context.session, context.settings);
  }
  std::string text = "SQL ends with ';' and may take several lines.\n\n";
  for (const DotCommand& command : kCommands) {
    text += HelpLine(fmt::format(".{} {}", command.name, command.argument), command.meaning);
  }
  text +=
      "\nQuestions, with the arguments of the program's subcommands (.help NAME), --json as "
      "well:\n\n";
  const Questions questions;
  for (const Options& command : questions.app.subcommands()) {
    text += HelpLine("." + NameHere(command.name()), command.about());
  }
  return text;
}

}  // namespace

std::vector<std::string> DotCommandNames() {
  std::vector<std::string> names;
  for (const DotCommand& command : kCommands) names.push_back(fmt::format(".{}", command.name));
  for (const std::string& name : QuestionNames()) names.push_back("." + name);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> RunDotCommand(const std::string& line, Session& session,
                                  ShellSettings& settings) {
  Words words = KTSTR_TRY(SplitWords(line));
  const std::string name = words[0].substr(1);
  words.erase(words.begin());
  for (const DotCommand& command : kCommands) {
    if (command.name != name) continue;
    const size_t most = command.argument.empty() ? 0 : 1;
    if (words.size() > most)
      return Usage(fmt::format(".{}: '{}' is one word too many", name, words[most]));
    return command.run({session, settings}, words);
  }
  const std::vector<std::string> questions = QuestionNames();
  if (std::find(questions.begin(), questions.end(), name) != questions.end()) {
    return AskQuestion(session, name, std::move(words));
  }
  const std::vector<std::string> names = DotCommandNames();
  const std::vector<std::string_view> views(names.begin(), names.end());
  return Usage(UnknownWord("command", "." + name, views));
}

}  // namespace ktstr

// The only file that sees CLI11. It makes a CLI::App of what was declared, and has that parse.
#include "libcore/cli/parse.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <sstream>
#include <unordered_set>

#include "libcore/base/nearest_word.h"
#include "libcore/base/output.h"
#include "libcore/base/result.h"
#include "libcore/cli/tool_words.h"

namespace ktstr {

namespace {

using Words = std::unordered_set<std::string>;

// Shows an option as "--name TYPE (default: VALUE)".
class PlainFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text;
    if (option->get_type_size() != 0) text += " " + option->get_type_name();
    if (!option->get_default_str().empty()) {
      text += " (default: " + option->get_default_str() + ")";
    }
    if (option->get_required()) text += " (required)";
    return text;
  }
};

// CLI11 2.6 would make one paragraph of the lines that help begins and ends with, such as examples;
// 2.4 and older keep them.
template <typename Formatter>
void KeepLines(Formatter* formatter) {
  if constexpr (requires { formatter->enable_footer_formatting(false); }) {
    formatter->enable_description_formatting(false);
    formatter->enable_footer_formatting(false);
  }
}

CLI::Option* AddBound(const Option& option, CLI::App* app) {
  return std::visit(
      [&](auto* target) {
        if constexpr (std::is_same_v<decltype(target), bool*>) {
          return app->add_flag(option.names(), *target, option.help());
        } else {
          return app->add_option(option.names(), *target, option.help());
        }
      },
      option.target());
}

// The range in the target's own type: that is how messages name what cannot be read as one.
CLI::Range MakeRange(const Option& option) {
  const OptionRange& range = *option.range();
  return std::visit(
      [&](auto* target) -> CLI::Range {
        using T = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<T, int> || std::is_same_v<T, uint64_t>) {
          return CLI::Range(static_cast<T>(range.least), static_cast<T>(range.most));
        } else {
          return CLI::Range(range.least, range.most);
        }
      },
      option.target());
}

void AddOption(const Option& option, CLI::App* app) {
  CLI::Option* added = AddBound(option, app);
  if (option.type_name()) added->type_name(*option.type_name());
  if (option.required()) added->required();
  if (option.range()) {
    CLI::Range range = MakeRange(option);
    if (!option.range()->in_help) range.description("");
    added->check(range);
  }
  if (!option.words().empty()) {
    CLI::IsMember one_of(option.words());
    one_of.description("");
    added->check(one_of);
  }
  if (option.delimiter() != 0) added->delimiter(option.delimiter());
  if (option.count().second != 0) added->expected(option.count().first, option.count().second);
  if (option.one_each()) added->allow_extra_args(false);
  if (option.shows_default()) added->capture_default_str();
  for (const std::string& other : option.needs()) added->needs(app->get_option(other));
  for (const std::string& other : option.excludes()) added->excludes(app->get_option(other));
}

void AddVersion(const Options::Version& version, CLI::App* app) {
  app->set_version_flag(version.name, version.text);
}

// Subcommands that no word can mean are there by their names only: help lists them.
// Subcommands that no word names are left out where `only_named`.
void Build(Options& options, const Words& words, bool only_named, CLI::App* app) {
  const Options::Version& version = options.version();
  size_t position = 0;
  for (const Option& option : options.options()) {
    if (!version.name.empty() && position == version.position) AddVersion(version, app);
    AddOption(option, app);
    ++position;
  }
  if (!version.name.empty() && position <= version.position) AddVersion(version, app);
  if (options.understands_behind_subcommands()) app->fallthrough();
  if (options.subcommand_need() == SubcommandNeed::kOptional) app->require_subcommand(0, 1);
  if (options.subcommand_need() == SubcommandNeed::kRequired) app->require_subcommand(1);
  for (Options& subcommand : options.subcommands()) {
    const bool is_named = words.contains(subcommand.name());
    if (only_named && !is_named) continue;
    CLI::App* below = app->add_subcommand(subcommand.name(), subcommand.about());
    if (!is_named) continue;
    subcommand.DeclareOwn();
    Build(subcommand, words, only_named, below);
  }
  // Behind the subcommands, which would have it, too.
  app->footer(options.footer());
}

// Of the program itself: a subcommand has arguments of its own.
void CheckRequiredUnless(const Options& options, const CLI::App& app) {
  if (!app.get_subcommands().empty()) return;
  for (const Option& option : options.options()) {
    const std::string& other = option.required_unless();
    if (other.empty() || app.count(option.names()) > 0 || app.count(other) > 0) continue;
    throw CLI::RequiredError(option.names());
  }
}

// The command that the words name, the program itself where they name none.
Options& Chosen(Options& options, const CLI::App& app) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  if (parsed.empty()) return options;
  for (Options& subcommand : options.subcommands()) {
    if (subcommand.name() == parsed[0]->get_name()) return Chosen(subcommand, *parsed[0]);
  }
  return options;
}

ParsedWords Choose(Options& options, const CLI::App& app) {
  const Options& chosen = Chosen(options, app);
  if (chosen.answer()) {
    return {.kind = ParsedWords::Kind::kAnswer,
            .text = chosen.answer()(),
            .names_subcommand = &chosen != &options};
  }
  if (chosen.chosen()) chosen.chosen()();
  return {.names_subcommand = &chosen != &options};
}

ParsedWords Explain(const CLI::App& app, const CLI::ParseError& error) {
  ParsedWords parsed;
  std::ostringstream text;
  const int code = app.exit(error, text, text);
  parsed.kind = code == 0 ? ParsedWords::Kind::kAnswer : ParsedWords::Kind::kWrong;
  parsed.text = text.str();
  parsed.wrong = error.what();
  parsed.names_subcommand = !app.get_subcommands().empty();
  return parsed;
}

// Where one of the words is an option that nobody knows: that it is unknown, and which was meant.
void ExplainUnknownOption(Options& options, const CLI::App& app, ParsedWords* parsed) {
  const auto unknown = std::ranges::find_if(
      parsed->extra, [](const std::string& word) { return word.starts_with("--"); });
  if (unknown == parsed->extra.end() || *unknown == "--") return;
  const Options& chosen = Chosen(options, app);
  std::vector<std::string> names = chosen.LongNames();
  if (&chosen != &options && options.understands_behind_subcommands()) {
    for (std::string& name : options.LongNames()) names.push_back(std::move(name));
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string word = unknown->substr(0, unknown->find('='));
  parsed->wrong = UnknownWord("option", word, known);
  parsed->text = parsed->wrong + "\nRun with --help for more information.\n";
}

// "help", "help tasks", "help corpus check", "FILE help tasks": what the same words say behind
// which stands --help. A word that names no subcommand is wrong; nothing when the words do not ask
// for help.
std::optional<ParsedWords> AnswerHelp(Options& options, std::vector<std::string> words) {
  const auto names_command = [&](const std::string& word) {
    return std::ranges::any_of(options.subcommands(),
                               [&](const Options& below) { return below.name() == word; });
  };
  if (words.size() > 1 && words[1] == "help" && !words[0].starts_with('-') &&
      !options.subcommands().empty() && !names_command(words[0])) {
    words.erase(words.begin());
  }
  if (words.empty() || words[0] != "help") return std::nullopt;
  if (words.size() > 1 && words[1].starts_with('-')) return std::nullopt;
  Options* at = &options;
  for (size_t i = 1; i < words.size(); ++i) {
    at->DeclareOwn();
    const auto named = std::ranges::find_if(
        at->subcommands(), [&](const Options& below) { return below.name() == words[i]; });
    if (named == at->subcommands().end()) {
      const std::vector<std::string> names = at->SubcommandNames();
      const std::vector<std::string_view> known(names.begin(), names.end());
      ParsedWords parsed{.kind = ParsedWords::Kind::kWrong};
      parsed.wrong = names.empty() ? fmt::format("'{}' has no subcommands", at->name())
                                   : UnknownWord("subcommand", words[i], known);
      parsed.text = fmt::format("{}: {}\n", options.name(), parsed.wrong);
      return parsed;
    }
    at = &*named;
  }
  words.erase(words.begin());
  words.push_back("--help");
  return ParseWords(options, std::move(words));
}

}  // namespace

ParsedWords ParseWords(Options& options, std::vector<std::string> words) {
  const Words names(words.begin(), words.end());
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  // Thirty subcommands that nobody asks for take longer to make than all the rest; but help and
  // what is wrong may be about them.
  CLI::App few(options.about(), options.name());
  Build(options, names, /*only_named=*/true, &few);
  try {
    few.parse(std::vector<std::string>(words));
    CheckRequiredUnless(options, few);
    return Choose(options, few);
  } catch (const CLI::ParseError&) {
  }
  CLI::App app(options.about(), options.name());
  if (options.help_style().plain) app.formatter(std::make_shared<PlainFormatter>());
  app.get_formatter()->column_width(size_t(options.help_style().column));
  KeepLines(app.get_formatter().get());
  app.failure_message(CLI::FailureMessage::simple);
  Build(options, names, /*only_named=*/false, &app);
  try {
    app.parse(std::move(words));
    CheckRequiredUnless(options, app);
    return Choose(options, app);
  } catch (const CLI::ExtrasError& error) {
    ParsedWords parsed = Explain(app, error);
    parsed.extra = app.remaining(true);
    ExplainUnknownOption(options, app, &parsed);
    return parsed;
  } catch (const CLI::ParseError& error) {
    return Explain(app, error);
  }
}

ParsedWords ParseProgramWords(Options& options, int argc, const char* const* argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (auto answer = AnswerTool(options, words)) {
    return {.kind = ParsedWords::Kind::kAnswer, .text = std::move(*answer)};
  }
  if (auto help = AnswerHelp(options, words)) return *std::move(help);
  return ParseWords(options, std::move(words));
}

std::optional<int> ParseCommandLine(Options& options, int argc, const char* const* argv) {
  const ParsedWords parsed = ParseProgramWords(options, argc, argv);
  if (parsed.kind == ParsedWords::Kind::kChosen) return std::nullopt;
  return PrintParsed(parsed);
}

int PrintParsed(const ParsedWords& parsed) {
  const bool answer = parsed.kind == ParsedWords::Kind::kAnswer;
  if (!answer) {
    std::fputs(parsed.text.c_str(), stderr);
    return static_cast<int>(ExitCode::kUsage);
  }
  // RunProgram tells of what was refused.
  std::ignore = Output::Standard().Write(parsed.text);
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace ktstr

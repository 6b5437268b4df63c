// The page has the sections that man-pages(7) names, in its order. From help come the options, the
// commands and, out of the footer, the examples ("Examples:") and exit codes ("Exit codes:"); the
// rest is the program's Manual.
#include "libcore/cli/man_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <regex>

#include "libcore/cli/roff.h"

namespace ktstr {

namespace {

std::string Bold(std::string_view text) { return "\\fB" + RoffEscape(text) + "\\fR"; }
std::string Italic(std::string_view text) { return "\\fI" + RoffEscape(text) + "\\fR"; }

std::string Section(std::string_view title, std::string_view roff) {
  return roff.empty() ? "" : fmt::format(".SH {}\n{}", RoffEscape(title), roff);
}

std::string Tagged(std::string_view roff_term, std::string_view roff_text) {
  return fmt::format(".TP\n{}\n{}", roff_term, roff_text);
}

std::string UpperCase(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return char(std::toupper(c)); });
  return text;
}

// The paragraphs of a footer, those that begin with "Examples:" and "Exit codes:" apart.
struct Footer {
  std::string text, examples, exit_codes;
};

Footer SplitFooter(std::string text) {
  Footer footer;
  while (!text.empty()) {
    const size_t end = text.find("\n\n");
    const std::string paragraph = text.substr(0, end);
    text.erase(0, end == std::string::npos ? end : end + 2);
    constexpr std::string_view kExamples = "Examples:\n", kExitCodes = "Exit codes: ";
    if (paragraph.starts_with(kExamples)) {
      footer.examples += paragraph.substr(kExamples.size()) + "\n\n";
    } else if (paragraph.starts_with(kExitCodes)) {
      footer.exit_codes = paragraph.substr(kExitCodes.size());
    } else {
      footer.text += paragraph + "\n\n";
    }
  }
  return footer;
}

// "0 done, 1 the answer is no." as a list of codes.
std::string ExitCodes(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  if (text.ends_with('.')) text.pop_back();
  static const std::regex code(R"((?:^|, )(\d) )");
  std::string list;
  auto at = std::sregex_iterator(text.begin(), text.end(), code);
  for (; at != std::sregex_iterator();) {
    const std::string number = (*at)[1];
    const auto begin = (*at)[0].second;
    ++at;
    const auto end = at == std::sregex_iterator() ? text.cend() : (*at)[0].first;
    list += Tagged(Bold(number), RoffLines(std::string(begin, end)));
  }
  return list;
}

std::string DefaultOf(const Option& option) {
  return std::visit(
      [](auto* target) -> std::string {
        using T = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
          return fmt::format("{}", *target);
        } else {
          return "";
        }
      },
      option.target());
}

// What holds of an option beyond its own text, as sentences.
std::string Conditions(const Option& option) {
  std::string text;
  const std::string type = option.type_name().value_or("");
  if (!option.words().empty() && type.find('|') == std::string::npos) {
    text += fmt::format(" One of: {}.", fmt::join(option.words(), ", "));
  }
  if (option.range() && option.range()->in_help) {
    text += fmt::format(" From {} to {}.", option.range()->least, option.range()->most);
  }
  if (const std::string value = DefaultOf(option); option.shows_default() && !value.empty()) {
    text += fmt::format(" Default: {}.", value);
  }
  if (option.required() && option.names().starts_with('-')) text += " Required.";
  for (const std::string& other : option.needs()) text += fmt::format(" Only with {}.", other);
  for (const std::string& other : option.excludes()) text += fmt::format(" Not with {}.", other);
  return text;
}

// Help's texts end without a full stop, which goes on being so where nothing follows.
std::string OptionText(const Option& option) {
  const std::string conditions = Conditions(option);
  const bool ended = option.help().empty() || option.help().ends_with('.') || conditions.empty();
  return RoffLines(option.help() + (ended ? "" : ".") + conditions);
}

std::string OptionTerm(const Option& option) {
  if (!option.names().starts_with('-')) return Italic(option.names());
  std::string term;
  for (const std::string& name : option.Names()) {
    term += (term.empty() ? "" : ", ") + Bold(name);
  }
  if (!option.is_flag()) term += " " + Italic(option.ValueName());
  return term;
}

std::string VersionEntry(const Options& command) {
  return Tagged(Bold(command.version().name), RoffLines("Print the version and exit"));
}

// Arguments before options, as in help.
std::string OptionEntries(const Options& command) {
  std::string arguments, options;
  size_t position = 0;
  const bool has_version = !command.version().name.empty();
  for (const Option& option : command.options()) {
    if (has_version && position++ == command.version().position) options += VersionEntry(command);
    const std::string entry = Tagged(OptionTerm(option), OptionText(option));
    (option.names().starts_with('-') ? options : arguments) += entry;
  }
  if (has_version && position <= command.version().position) options += VersionEntry(command);
  return arguments + options;
}

// "[OPTION]... [FILE] OTHER..." behind the name.
std::string Arguments(const Options& command) {
  std::string text;
  const bool has_options =
      !command.version().name.empty() ||
      std::ranges::any_of(command.options(), [](auto& o) { return o.names().starts_with('-'); });
  if (has_options) text += " [" + Italic("OPTION") + "]...";
  for (const Option& option : command.options()) {
    if (option.names().starts_with('-')) continue;
    const bool list = std::holds_alternative<std::vector<std::string>*>(option.target());
    const std::string word = Italic(option.names()) + (list ? "..." : "");
    const bool needed = option.required() || !option.required_unless().empty();
    text += needed ? " " + word : " [" + word + "]";
  }
  return text;
}

std::string Synopsis(const Options& program) {
  const std::string line = Bold(program.name()) + Arguments(program);
  const std::string with_command =
      line + " " + Italic("COMMAND") + " [" + Italic("ARGUMENT") + "]...";
  switch (program.subcommand_need()) {
    case SubcommandNeed::kNone:
      return line + "\n";
    case SubcommandNeed::kOptional:
      return line + "\n.br\n" + with_command + "\n";
    case SubcommandNeed::kRequired:
      return with_command + "\n";
  }
  return "";
}

// A subcommand and those below it, each with all that its help says.
std::string Commands(const Options& command, const std::string& outer) {
  std::string roff;
  for (const Options& below : command.subcommands()) {
    const std::string name = outer + below.name();
    roff += fmt::format(".SS \"{}\"\n", RoffEscape(name));
    const std::string arguments = Arguments(below);
    if (!arguments.empty()) roff += Bold(name) + arguments + "\n.PP\n";
    roff += RoffText(below.about()) + OptionEntries(below);
    if (!below.footer().empty()) roff += ".PP\n" + RoffText(below.footer());
    roff += Commands(below, name + " ");
  }
  return roff;
}

std::string Entries(const ManualSection& section) {
  std::string roff = RoffText(section.text);
  for (const auto& [term, text] : section.entries) roff += Tagged(Bold(term), RoffText(text));
  return roff;
}

std::string SeeAlso(const std::vector<std::string>& pages) {
  std::string roff;
  for (size_t i = 0; i < pages.size(); ++i) {
    const size_t bracket = pages[i].find('(');
    roff += fmt::format(".BR {} {}{}\n", RoffEscape(pages[i].substr(0, bracket)),
                        pages[i].substr(bracket), i + 1 < pages.size() ? "," : "");
  }
  return roff;
}

// The section of that title, and takes it away.
std::string TakeSection(Manual& manual, std::string_view title) {
  const auto found = std::ranges::find(manual.sections, title, &ManualSection::title);
  if (found == manual.sections.end()) return "";
  const std::string roff = Entries(*found);
  manual.sections.erase(found);
  return roff;
}

std::string Header(const Options& program) {
  const std::string& version = program.version().text;
  return fmt::format(
      ".\\\" Made of the program's options: {0} \\-\\-man\\-page\n"
      ".TH {1} 1 \"\" \"ktstr {2}\" \"User Commands\"\n"
      ".nh\n.ad l\n",
      program.name(), RoffEscape(UpperCase(program.name())),
      version.substr(version.rfind(' ') + 1));
}

}  // namespace

std::string ManPage(Options& program) {
  program.DeclareAll();
  Manual manual = program.manual();
  const Footer footer = SplitFooter(program.footer());
  std::string description = RoffText(program.about());
  if (!manual.description.empty()) description += ".PP\n" + RoffText(manual.description);
  if (!footer.text.empty()) description += ".PP\n" + RoffText(footer.text);
  const std::string help = Tagged(Bold("-h") + ", " + Bold("--help"),
                                  RoffLines("Print help and exit; behind a command, that of the "
                                            "command"));
  std::string examples = RoffText(footer.examples);
  if (const std::string more = TakeSection(manual, "EXAMPLES"); !more.empty()) {
    examples += (examples.empty() ? "" : ".PP\n") + more;
  }
  const std::string files = TakeSection(manual, "FILES");
  const std::string environment = TakeSection(manual, "ENVIRONMENT");
  std::string page = Header(program);
  page += Section("NAME",
                  fmt::format("{} \\- {}\n", RoffEscape(program.name()), RoffEscape(manual.brief)));
  page += Section("SYNOPSIS", Synopsis(program));
  page += Section("DESCRIPTION", description);
  page += Section("OPTIONS", OptionEntries(program) + help);
  page += Section("COMMANDS", Commands(program, ""));
  for (const ManualSection& section : manual.sections) {
    page += Section(section.title, Entries(section));
  }
  page += Section("EXIT STATUS", ExitCodes(footer.exit_codes));
  page += Section("ENVIRONMENT", environment);
  page += Section("FILES", files);
  page += Section("EXAMPLES", examples);
  page += Section("SEE ALSO", SeeAlso(manual.see_also));
  return page;
}

}  // namespace ktstr

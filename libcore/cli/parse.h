// Reads a command line by the options that were declared (options.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libcore/cli/options.h"

namespace ktstr {

// What a command line came to.
struct ParsedWords {
  enum class Kind {
    kChosen,  // it is right; the chosen command's OnChosen was called
    kAnswer,  // it asks for help, the version or another text of the command line's own
    kWrong,
  };
  Kind kind = Kind::kChosen;
  // kAnswer: what to print on standard output. kWrong: what is wrong and where help is, for
  // standard error; whole lines both.
  std::string text;
  std::string wrong;               // the sentence of `text` that says what is wrong
  std::vector<std::string> extra;  // kWrong: words that nothing takes, where that is what is wrong
  bool names_subcommand = false;   // whether the words name one
};

// `words` are those behind the program's name. Values that were given are in the options' targets
// only when the kind is kChosen. Declares the options of those subcommands that the words may mean.
ParsedWords ParseWords(Options& options, std::vector<std::string> words);

// The same of a program's command line, which may ask what is for tools alone (tool_words.h).
ParsedWords ParseProgramWords(Options& options, int argc, const char* const* argv);

// A program's command line: prints what was asked for or is wrong. Nothing when the program is to
// go on, otherwise its exit code.
std::optional<int> ParseCommandLine(Options& options, int argc, const char* const* argv);

// Prints the text of a result that is not kChosen; the exit code.
int PrintParsed(const ParsedWords& parsed);

}  // namespace ktstr

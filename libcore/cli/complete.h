// What may stand in the place of the word that is being typed, by what a program declares. Shells
// ask the program itself (completion.h), so that there is one answer for all of them.
#pragma once

#include <string>
#include <vector>

#include "libcore/cli/options.h"

namespace ktstr {

struct Completion {
  struct Word {
    std::string text, meaning;  // the meaning in one line, perhaps empty
  };
  std::vector<Word> words;  // only those that begin with what is typed
  // Beside the words: files that end like this (and directories, which lead to such), for the shell
  // to find.
  FileKind files = FileKind::kNone;
  std::string suffix;  // empty: any
};

// `words` are those behind the program's name; the last one is being typed, perhaps empty. Declares
// the options of those subcommands that the words name.
Completion Complete(Options& program, const std::vector<std::string>& words);

// For scripts: "none", "files", "files SUFFIX" or "directories", and then a line for each word, its
// meaning behind a tab.
std::string ToLines(const Completion& completion);

}  // namespace ktstr

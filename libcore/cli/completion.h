// The subcommand that makes a shell complete a program's words: PROGRAM completion bash|zsh|fish.
#pragma once

#include <string>
#include <string_view>

#include "libcore/cli/options.h"

namespace ktstr {

// Adds the subcommand, and `help` beside it (parse.cc answers it). Its answer is the script for a shell, to be sourced, or to be installed
// where that shell looks for it.
void AddCompletion(Options* program, std::string about = "What makes a shell complete these words");

// The script of a shell, "bash", "zsh" or "fish", for the program of that name. It asks the program
// what may stand for a word (complete.h), and finds files by itself.
std::string CompletionScript(std::string_view shell, const std::string& program);

}  // namespace ktstr

// The manual page of a program, made of what it declares: help says the same in less.
#pragma once

#include <string>

#include "libcore/cli/options.h"

namespace ktstr {

// As roff with the macros of man(7), section 1. Declares the options of all subcommands.
std::string ManPage(Options& program);

}  // namespace ktstr

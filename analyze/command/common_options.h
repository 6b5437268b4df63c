// Options that have the same name and meaning in several subcommands.
#pragma once

#include <string>

#include "libcore/cli/options.h"

namespace ktstr {

void AddCorpusDirectory(Options* command, std::string* directory);
// How many archives are worked on at a time; 0: one per CPU.
void AddJobsOption(Options* command, int* jobs);
// After how many seconds a query is given up; 0: never.
void AddTimeoutOption(Options* command, double* seconds);

}  // namespace ktstr

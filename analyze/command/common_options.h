// Options that several subcommands take, and mean the same by.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace ktstr {

void AddCorpusDirectory(CLI::App* command, std::string* directory);
// How many archives are worked on at a time; 0: one per CPU.
void AddJobsOption(CLI::App* command, int* jobs);
// After how many seconds a query is given up; 0: never.
void AddTimeoutOption(CLI::App* command, double* seconds);

}  // namespace ktstr

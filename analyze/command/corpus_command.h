// The subcommands of "corpus", each a file of its own.
#pragma once

#include "ktstr/analyze/command/command.h"
#include "ktstr/analyze/corpus/corpus.h"

namespace ktstr {

// Every one of them takes the corpus's directory, and some of them chosen archives.
struct CorpusArguments {
  std::string directory;
  std::vector<std::string> tags;
};

void AddCorpusOptions(CLI::App* command, CorpusArguments* arguments);

// The archives with the tags. Errors: kNotFound when there are none.
Result<std::vector<CorpusEntry>> ChosenEntries(const Corpus& corpus,
                                               const CorpusArguments& arguments);

void AddKeepingCommands(CLI::App* corpus, Command* chosen);  // add, list, remove, prune
void AddCorpusQueryCommand(CLI::App* corpus, Command* chosen);
void AddCorpusCheckCommand(CLI::App* corpus, Command* chosen);
void AddCorpusExpectCommand(CLI::App* corpus, Command* chosen);
void AddPackCommands(CLI::App* corpus, Command* chosen);  // pack, unpack

}  // namespace ktstr

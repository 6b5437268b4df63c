// The subcommands of "corpus", each a file of its own.
#pragma once

#include "analyze/command/command.h"
#include "analyze/corpus/archive_failures.h"
#include "analyze/corpus/corpus.h"

namespace ktstr {

// Every one of them takes the corpus's directory, and some of them chosen archives.
struct CorpusArguments {
  std::string directory;
  std::vector<std::string> tags;
};

void AddCorpusOptions(Options* command, CorpusArguments* arguments);

// The archives with the tags. Errors: kNotFound when there are none.
Result<std::vector<CorpusEntry>> ChosenEntries(const Corpus& corpus,
                                               const CorpusArguments& arguments);

// What the answer lacks of `all` archives is told beside it, and in the exit code.
void NoteFailures(Session& session, const ArchiveFailures& failures, size_t all);

void AddKeepingCommands(Options* corpus, Command* chosen);  // add, list, remove, prune
void AddCorpusQueryCommand(Options* corpus, Command* chosen);
void AddCorpusCheckCommand(Options* corpus, Command* chosen);
void AddCorpusExpectCommand(Options* corpus, Command* chosen);
void AddPackCommands(Options* corpus, Command* chosen);  // pack, unpack

}  // namespace ktstr

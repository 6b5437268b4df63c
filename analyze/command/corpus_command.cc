// ktstr-analyze corpus …: a directory of archives.
#include "analyze/command/corpus_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analyze/command/common_options.h"
#include "analyze/corpus/archive_failures.h"
#include "analyze/corpus/archive_index.h"
#include "analyze/corpus/merged.h"
#include "analyze/corpus/parallel.h"
#include "analyze/corpus/reuse_memory.h"
#include "libcore/base/interrupt_guard.h"
#include "libcore/base/patient_bar.h"

namespace ktstr {

namespace {

struct CorpusQueryArguments : CorpusArguments {
  std::string sql;
  bool each = false;
  int jobs = 0;
  QueryLimits limits{.timeout_s = 60};
  size_t max_rows = 0;  // 0: all
  bool csv = false;
};

// What one archive says: nothing inside where the statement failed, though the archive is there.
using EachAnswer = Result<Result<QueryResult>>;

// The answers of each archive by itself, one below the other, with its name before each row.
Result<QueryResult> AskEach(const Corpus& corpus, const std::vector<CorpusEntry>& entries,
                            const CorpusQueryArguments& arguments, const CorpusWork& work,
                            ArchiveFailures* failures) {
  QueryResult all;
  KTSTR_TRY(ForEachInOrder<EachAnswer>(
      entries.size(), work,
      [&](size_t i) -> EachAnswer {
        const auto archive =
            KTSTR_TRY(ArchiveIndex::Open(corpus.ArchiveOf(entries[i]), work.memory_of_each()));
        return archive->database().Query(arguments.sql, arguments.limits);
      },
      [&](size_t i, EachAnswer asked) -> Status {
        if (!asked) return failures->Add(entries[i].name, asked.error());
        Result<QueryResult>& answer = *asked;
        if (!answer) {
          return Fail(answer.error().code(),
                      fmt::format("{}: {}", entries[i].name, answer.error().ToString()));
        }
        if (all.columns.empty()) {
          all.columns = {"archive"};
          all.columns.insert(all.columns.end(), answer->columns.begin(), answer->columns.end());
        }
        all.has_more |= answer->has_more;
        for (auto& row : answer->rows) {
          row.insert(row.begin(), Value(entries[i].name));
          all.rows.push_back(std::move(row));
        }
        return {};
      }));
  if (failures->size() == entries.size()) return Fail(failures->first());
  return all;
}

Result<std::string> Query(Session& session, CorpusQueryArguments arguments) {
  if (arguments.csv && session.json()) {
    return Fail(ErrorCode::kInvalidArgument, "--csv and --json exclude each other");
  }
  if (arguments.csv) session.set_format(OutputFormat::kCsv);
  if (arguments.max_rows > 0) arguments.limits.max_rows = arguments.max_rows;
  const Corpus corpus = KTSTR_TRY(Corpus::Open(arguments.directory));
  const InterruptGuard guard;
  const CorpusWork work{arguments.jobs, session.arguments().memory};
  ReuseFreedMemory(work.threads());
  if (arguments.each) {
    const auto entries = KTSTR_TRY(ChosenEntries(corpus, arguments));
    ArchiveFailures failures;
    const QueryResult answer = KTSTR_TRY(AskEach(corpus, entries, arguments, work, &failures));
    NoteFailures(session, failures, entries.size());
    return session.Show(answer);
  }
  const auto open = [&] {
    PatientBar bar("merging");
    return OpenMerged(corpus, work, [&bar](size_t done, size_t all) { bar.Set(done, all); });
  };
  MergedIndex merged = KTSTR_TRY(open());
  merged.database.InterruptBy(&InterruptGuard::flag());
  const QueryResult answer = KTSTR_TRY(merged.database.Query(arguments.sql, arguments.limits));
  NoteFailures(session, merged.failures, corpus.entries().size());
  return session.Show(answer);
}

void DeclareQuery(Options* query, Command* chosen) {
  auto arguments = std::make_shared<CorpusQueryArguments>();
  AddCorpusDirectory(query, &arguments->directory);
  query->Add("SQL", &arguments->sql, "One SELECT statement").Required().TypeName("");
  query->Add("--each", &arguments->each,
             "Ask each archive by itself, so that functions over memory can be used");
  query->Add("--tag", &arguments->tags, "With --each: only archives with this tag")
      .TypeName("TAG")
      .Needs("--each");
  AddJobsOption(query, &arguments->jobs);
  AddTimeoutOption(query, &arguments->limits.timeout_s);
  query
      ->Add("--limit", &arguments->max_rows,
            "Give the first rows only (with --each, of each archive); 0: all")
      .TypeName("ROWS")
      .ShowDefault();
  query->Add("--csv", &arguments->csv, "Comma-separated values (RFC 4180), NULL as nothing");
  query->SetFooter(
      "Every table and view has the column archive, the archive's name; the table archive has what "
      "the\ncorpus says of each. An archive that cannot be opened is left out: standard error and "
      "the "
      "exit\ncode say so.\n\nExamples:\n"
      "  ktstr-analyze corpus query states \"SELECT archive, rule, count(*) FROM finding GROUP BY "
      "1, "
      "2\"\n"
      "  ktstr-analyze corpus query states --each \"SELECT read_u64(symbol_address('jiffies')) AS "
      "jiffies\"");
  query->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Query(session, *arguments); };
  });
}

void DeclareCorpus(Options* corpus, Command* chosen) {
  corpus->SetSubcommandNeed(SubcommandNeed::kRequired);
  AddKeepingCommands(corpus, chosen);
  AddCorpusQueryCommand(corpus, chosen);
  AddCorpusCheckCommand(corpus, chosen);
  AddCorpusExpectCommand(corpus, chosen);
  AddPackCommands(corpus, chosen);
  corpus->SetFooter(
      "Examples:\n"
      "  ktstr-analyze corpus add states out/*.kts --tag nightly\n"
      "  ktstr-analyze corpus check states --junit check.xml\n"
      "  ktstr-analyze corpus expect states --update\n"
      "  ktstr-analyze corpus pack states states.ktspack");
}

}  // namespace

void NoteFailures(Session& session, const ArchiveFailures& failures, size_t all) {
  if (failures.empty()) return;
  session.Note(failures.Text(all));
  session.set_exit_code(ExitCodeFor(failures.first().code()));
}

void AddCorpusOptions(Options* command, CorpusArguments* arguments) {
  AddCorpusDirectory(command, &arguments->directory);
  command->Add("--tag", &arguments->tags, "Only archives with this tag; may be repeated")
      .TypeName("TAG");
}

Result<std::vector<CorpusEntry>> ChosenEntries(const Corpus& corpus,
                                               const CorpusArguments& arguments) {
  auto entries = corpus.WithTags(arguments.tags);
  if (!entries.empty()) return entries;
  return Fail(ErrorCode::kNotFound,
              arguments.tags.empty()
                  ? fmt::format("the corpus '{}' is empty", arguments.directory)
                  : fmt::format("no archive of '{}' has the tag {}", arguments.directory,
                                fmt::join(arguments.tags, " and the tag ")));
}

void AddCorpusQueryCommand(Options* corpus, Command* chosen) {
  corpus->AddSubcommand("query", "A query over all archives at once",
                        [chosen](Options* query) { DeclareQuery(query, chosen); });
}

void AddCorpusCommand(Options* app, Command* chosen) {
  app->AddSubcommand("corpus",
                     "A directory of archives: keep them, ask them all, hold them against rules",
                     [chosen](Options* corpus) { DeclareCorpus(corpus, chosen); })
      .StandsAlone();
}

}  // namespace ktstr

// ktstr-analyze corpus add, list, remove, prune
#include <fmt/format.h>

#include <chrono>

#include "analyze/command/common_options.h"
#include "analyze/command/corpus_command.h"
#include "analyze/corpus/listing.h"
#include "analyze/text/output.h"
#include "libcore/base/quantity.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

struct AddArguments : CorpusArguments {
  std::vector<std::string> files;
  std::string name, scenario;
};

struct RemoveArguments : CorpusArguments {
  std::vector<std::string> names;
};

struct PruneArguments : CorpusArguments {
  std::string older_than, max_size;
  bool dry_run = false;
};

Result<std::string> Add(Session& session, const AddArguments& arguments) {
  if (!arguments.name.empty() && arguments.files.size() > 1) {
    return Fail(ErrorCode::kInvalidArgument, "--name is for one archive, not for several");
  }
  Corpus corpus = KTSTR_TRY(Corpus::OpenOrCreate(arguments.directory));
  const std::string scenario =
      arguments.scenario.empty() ? "" : KTSTR_TRY(ReadTextFile(arguments.scenario));
  std::string text;
  for (const std::string& file : arguments.files) {
    const auto added = corpus.Add({file, arguments.name, arguments.tags, scenario});
    if (added) {
      text += fmt::format("added {} as {}\n", file, added->name);
    } else if (added.error().code() == ErrorCode::kExists) {
      text += fmt::format("not added: {}\n", added.error().message());
      session.set_exit_code(ExitCode::kAnswerIsNo);
    } else {
      return Fail(added.error());
    }
  }
  return text;
}

Result<std::string> List(Session& session, const CorpusArguments& arguments) {
  const Corpus corpus = KTSTR_TRY(Corpus::Open(arguments.directory));
  ArchiveFailures failures;
  const RowSet<CorpusRow> rows =
      KTSTR_TRY(ListCorpus(corpus, corpus.WithTags(arguments.tags), &failures));
  NoteFailures(session, failures, rows.rows.size());
  Database table = KTSTR_TRY(Database::InMemory());
  KTSTR_TRY(table.AddTable(rows));
  const std::string sql =
      session.json() ? "SELECT * FROM archive"
                     : "SELECT name, round(bytes / 1048576.0, 1) AS mib, captured_at, \"trigger\", "
                       "release, kept, tags, substr(digest, 1, 8) AS digest FROM archive";
  const QueryResult result = KTSTR_TRY(table.Query(sql));
  if (session.json()) return ToJson(result);
  uint64_t bytes = 0;
  for (const CorpusRow& row : rows.rows) bytes += uint64_t(row.bytes.value_or(0));
  std::string text = fmt::format("{}{} archives, {}\n", ToTextTable(result, {TerminalWidth()}),
                                 rows.rows.size(), FormatSize(bytes));
  for (const auto& file : corpus.unlisted()) {
    text +=
        fmt::format("{} is in no list: adding it was interrupted; add it again\n", file.string());
  }
  return text;
}

Result<std::string> Remove(Session&, const RemoveArguments& arguments) {
  Corpus corpus = KTSTR_TRY(Corpus::Open(arguments.directory, Corpus::Purpose::kChange));
  std::vector<CorpusEntry> entries;
  for (const std::string& name : arguments.names) entries.push_back(KTSTR_TRY(corpus.Find(name)));
  std::string text;
  for (const CorpusEntry& entry : entries) {
    KTSTR_TRY(corpus.Remove(entry));
    text += fmt::format("removed {}\n", entry.name);
  }
  return text;
}

Result<std::string> Prune(Session& session, const PruneArguments& arguments) {
  PruneOptions options{.keep_tags = arguments.tags};
  if (!arguments.older_than.empty())
    options.older_than = KTSTR_TRY(ParseDuration(arguments.older_than));
  if (!arguments.max_size.empty()) options.max_bytes = KTSTR_TRY(ParseSize(arguments.max_size));
  if (!options.older_than && !options.max_bytes) {
    return Fail(ErrorCode::kInvalidArgument, "what may go? Give --older-than, --max-size, or both");
  }
  Corpus corpus = KTSTR_TRY(Corpus::Open(arguments.directory, Corpus::Purpose::kChange));
  ArchiveFailures failures;
  const auto rows = KTSTR_TRY(ListCorpus(corpus, corpus.entries(), &failures));
  NoteFailures(session, failures, rows.rows.size());
  const int64_t now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
  std::string text;
  uint64_t bytes = 0;
  const auto chosen = ChooseToPrune(rows.rows, options, now_ns);
  for (const CorpusRow& row : chosen) {
    if (!arguments.dry_run) KTSTR_TRY(corpus.Remove(KTSTR_TRY(corpus.Find(row.name))));
    text += fmt::format("{} {}, of {}, {}\n", arguments.dry_run ? "would remove" : "removed",
                        row.name, row.captured_at.value_or("unknown time"),
                        FormatSize(uint64_t(row.bytes.value_or(0))));
    bytes += uint64_t(row.bytes.value_or(0));
  }
  return text +
         fmt::format("{} of {} archives, {}\n", chosen.size(), rows.rows.size(), FormatSize(bytes));
}

void DeclareAdd(Options* add, Command* chosen) {
  auto add_arguments = std::make_shared<AddArguments>();
  AddCorpusDirectory(add, &add_arguments->directory);
  add->Add("FILES", &add_arguments->files, "Archives").Required().TypeName("").Files(".kts");
  add->Add("--name", &add_arguments->name, "Its name in the corpus, for a single archive")
      .TypeName("NAME");
  add->Add("--tag", &add_arguments->tags, "A tag for each; may be repeated").TypeName("TAG");
  add->Add("--scenario", &add_arguments->scenario, "Keep this file with each: what made them")
      .TypeName("FILE")
      .Files(".toml");
  add->OnChosen([chosen, add_arguments] {
    *chosen = [add_arguments](Session& session) { return Add(session, *add_arguments); };
  });
}

void DeclareList(Options* list, Command* chosen) {
  auto list_arguments = std::make_shared<CorpusArguments>();
  AddCorpusOptions(list, list_arguments.get());
  list->OnChosen([chosen, list_arguments] {
    *chosen = [list_arguments](Session& session) { return List(session, *list_arguments); };
  });
}

void DeclareRemove(Options* remove, Command* chosen) {
  auto remove_arguments = std::make_shared<RemoveArguments>();
  AddCorpusDirectory(remove, &remove_arguments->directory);
  remove->Add("NAMES", &remove_arguments->names, "Which ones").Required().TypeName("");
  remove->OnChosen([chosen, remove_arguments] {
    *chosen = [remove_arguments](Session& session) { return Remove(session, *remove_arguments); };
  });
}

void DeclarePrune(Options* prune, Command* chosen) {
  auto prune_arguments = std::make_shared<PruneArguments>();
  AddCorpusDirectory(prune, &prune_arguments->directory);
  prune->Add("--older-than", &prune_arguments->older_than, "Since their capture, such as 30d")
      .TypeName("TIME");
  prune
      ->Add("--max-size", &prune_arguments->max_size,
            "Until all archives together have this size, such as 10G")
      .TypeName("SIZE");
  prune->Add("--keep-tag", &prune_arguments->tags, "Archives with this tag stay; may be repeated")
      .TypeName("TAG");
  prune->Add("--dry-run", &prune_arguments->dry_run, "Only say what would go");
  prune->OnChosen([chosen, prune_arguments] {
    *chosen = [prune_arguments](Session& session) { return Prune(session, *prune_arguments); };
  });
}

}  // namespace

void AddKeepingCommands(Options* corpus, Command* chosen) {
  corpus->AddSubcommand(
      "add",
      "Copy archives into a corpus (made where it is not there); exit code 1 for one that is "
      "there already",
      [chosen](Options* add) { DeclareAdd(add, chosen); });
  corpus->AddSubcommand("list", "What is in it",
                        [chosen](Options* list) { DeclareList(list, chosen); });
  corpus->AddSubcommand("remove", "Remove archives, by name or digest",
                        [chosen](Options* remove) { DeclareRemove(remove, chosen); });
  corpus->AddSubcommand("prune", "Remove archives that are old, or the oldest of too many",
                        [chosen](Options* prune) { DeclarePrune(prune, chosen); });
}

}  // namespace ktstr

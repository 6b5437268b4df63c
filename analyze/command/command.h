// What the subcommands of ktstr-analyze share: an archive that is opened as far as they need it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "analyze/index/database.h"
#include "analyze/index/partial_index.h"
#include "analyze/memory_sql/memory_sql.h"
#include "libcore/base/result.h"
#include "libcore/cli/options.h"
#include "replay/frozen_machine.h"

namespace ktstr {

// The options before the subcommand, as given.
struct CommonArguments {
  std::string archive;
  bool live = false;  // this machine, in place of an archive
  bool json = false;
  bool no_index = false;
  bool accept_damage = false;
  KernelChoice kernel;
  SnapshotMemoryOptions memory;

  // Whether answers may come from an index that is kept.
  bool keeps_index() const {
    return !live && !no_index && !accept_damage && kernel.vmlinux.empty() && kernel.instance == 1;
  }
};

enum class OutputFormat { kText, kJson, kCsv, kLine };

// An archive while one command runs, or a shell.
class Session {
 public:
  explicit Session(const CommonArguments& arguments)
      : arguments_(arguments),
        format_(arguments.json ? OutputFormat::kJson : OutputFormat::kText) {}

  const CommonArguments& arguments() const { return arguments_; }
  // How answers are written. What is no table of rows is JSON or else text.
  OutputFormat format() const { return format_; }
  void set_format(OutputFormat format) { format_ = format; }
  bool json() const { return format_ == OutputFormat::kJson; }
  // What stands for NULL in text.
  void set_null(std::string null) { null_ = std::move(null); }
  // What it asks, as people are told.
  std::string Name() const { return arguments_.live ? "this machine" : arguments_.archive; }
  // The memory. Errors: those of FrozenMachine::Open, or of HostMachine::Open; kInvalidArgument
  // without an archive.
  Result<MemorySource*> Memory();
  // The index, with the functions over memory; built where that is needed, and in memory alone of
  // a machine that runs. Errors: those of Memory and OpenIndex.
  Result<Database*> Index();
  // The rows of a query in the format; text fits the terminal. Ctrl-C ends it. Errors: those of
  // Index and Database::Query.
  Result<std::string> Answer(const std::string& sql, const QueryLimits& limits = {});
  // The same of one of several tables: in text below its name, or "NAME: none".
  Result<std::string> AnswerPart(const std::string& name, const std::string& sql,
                                 const QueryLimits& limits);
  // The rows of a query as CSV or JSON: on standard output, each as soon as it is found. They are
  // an answer (and nothing is written) in another format, and where damage may have left something
  // out of the tables, which has to be told first. Errors: as Answer; kIo.
  Result<std::string> Stream(const std::string& sql, const QueryLimits& limits);
  // Rows that are there, in the same way. Where some were left out, a note says so.
  std::string Show(const QueryResult& result);
  // Has rows that are wider than the terminal shown as lines "column = value".
  void UnfoldWideRows() { unfolds_wide_rows_ = true; }
  // A line to be told on standard error beside the answer.
  void Note(const std::string& line) { notes_ += line + "\n"; }
  // To be called when an answer is ready, before it is shown: whether damage of the archive has
  // left something out of the tables that it was made from, or of all tables. Where damage is
  // accepted, a note says so and the exit code is kBadInput. Errors: kDamaged, where it is not.
  enum class Scope { kRead, kAll };
  Status Settle(Scope scope = Scope::kRead);
  // Takes the notes and the exit code of another session, which answered a part.
  void TakeOver(Session& other);

  // What the program ends with where a command gave an answer.
  ExitCode exit_code() const { return exit_code_; }
  void set_exit_code(ExitCode code) { exit_code_ = code; }
  // What is to be told on standard error beside the answers since it was last taken: rows that were
  // left out, what try_ functions could not read. Empty when there is nothing.
  std::string TakeNotes();

 private:
  // The rows themselves, in the way that Answer tells.
  Result<QueryResult> Ask(const std::string& sql, const QueryLimits& limits);
  // What the statement can be asked: the index, or, where none is to be used, the tables that it
  // reads.
  Result<Database*> TablesFor(const std::string& sql);
  Result<Database*> WalkedFor(const std::string& sql);
  // What the answers of a machine that runs are to be taken for.
  void NoteThatItRuns();
  // What was asked last; null when nothing was.
  Database* Asked();
  void NoteMore(size_t rows);

  const CommonArguments& arguments_;
  OutputFormat format_;
  std::string null_ = "-";
  ExitCode exit_code_ = ExitCode::kDone;
  std::string notes_;
  bool unfolds_wide_rows_ = false;
  std::optional<MemorySource> memory_;
  QueryAnomalies anomalies_;
  uint64_t told_anomalies_ = 0;
  std::optional<Error> damage_;  // of the archive, as far as it was looked for
  bool told_damage_ = false;
  bool told_that_it_runs_ = false;
  FrozenMachine* frozen_ = nullptr;      // of memory_; null of a machine that runs
  std::optional<Database> index_;        // uses the two above
  std::optional<PartialIndex> partial_;  // in its place, for single questions without an index
};

// What a chosen subcommand writes to standard output.
using Command = std::function<Result<std::string>(Session&)>;

// All subcommands that ask one question of the archive; not sql, and none that makes something.
void AddQuestionCommands(Options* app, Command* chosen);

// The subcommands. Each adds itself to `app`; `chosen` becomes what the command line names.
Command SummaryCommand();
void AddFindingsCommand(Options* app, Command* chosen);
void AddTableCommands(Options* app, Command* chosen);  // tasks, cpus, log, rq, … (one table each)
void AddBpfCommands(Options* app, Command* chosen);    // maps, progs
void AddSqlCommand(Options* app, Command* chosen);
void AddShellCommand(Options* app, Command* chosen);
void AddPrintCommand(Options* app, Command* chosen);
void AddReadCommand(Options* app, Command* chosen);
void AddSymbolCommand(Options* app, Command* chosen);
void AddVcpuCommand(Options* app, Command* chosen);
void AddStackCommand(Options* app, Command* chosen);
void AddDumpCommand(Options* app, Command* chosen);
void AddDiffCommand(Options* app, Command* chosen);
void AddReportCommand(Options* app, Command* chosen);
void AddPerfettoCommand(Options* app, Command* chosen);
void AddSchemaCommand(Options* app, Command* chosen);
void AddCheckCommand(Options* app, Command* chosen);
void AddCorpusCommand(Options* app, Command* chosen);
void AddExportCommand(Options* app, Command* chosen);

// What the manual page says beyond help.
Manual AnalyzeManual();

}  // namespace ktstr

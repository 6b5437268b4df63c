// What the subcommands of ktstr-analyze share: an archive that is opened as far as they need it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ktstr/analyze/database.h"
#include "ktstr/analyze/memory_sql/memory_sql.h"
#include "ktstr/base/result.h"

namespace ktstr {

// The options before the subcommand, as given.
struct CommonArguments {
  std::string archive;
  bool json = false;
  bool no_index = false;
  bool accept_damage = false;
  std::string vmlinux;
};

// An archive while one command runs.
class Session {
 public:
  explicit Session(const CommonArguments& arguments) : arguments_(arguments) {}

  const CommonArguments& arguments() const { return arguments_; }
  bool json() const { return arguments_.json; }
  // The frozen memory. Errors: those of FrozenMachine::Open; kInvalidArgument without an archive.
  Result<MemorySource*> Memory();
  // The index, with the functions over memory; built where that is needed. Errors: those of Memory
  // and OpenIndex.
  Result<Database*> Index();
  // The rows of a query, as text that fits the terminal or as JSON.
  Result<std::string> Answer(const std::string& sql, const QueryLimits& limits = {});
  // What try_ functions could not read, for standard error; empty when everything was.
  std::string AnomalyText() const;
  // How the program ends when the command has answered: kDone, unless the answer is "no".
  void set_exit_code(ExitCode code) { exit_code_ = code; }
  ExitCode exit_code() const { return exit_code_; }

 private:
  const CommonArguments& arguments_;
  ExitCode exit_code_ = ExitCode::kDone;
  std::optional<MemorySource> memory_;
  QueryAnomalies anomalies_;
  std::optional<Database> index_;  // uses the two above
};

// What a chosen subcommand writes to standard output.
using Command = std::function<Result<std::string>(Session&)>;

// Text as an SQL literal.
std::string Quoted(std::string_view text);

// The subcommands. Each adds itself to `app`; `chosen` is what CLI11 has seen on the command line.
Command SummaryCommand();
void AddTableCommands(CLI::App* app, Command* chosen);  // tasks, cpus, log, rq, … (one table each)
void AddBpfCommands(CLI::App* app, Command* chosen);    // maps, progs
void AddSqlCommand(CLI::App* app, Command* chosen);
void AddPrintCommand(CLI::App* app, Command* chosen);
void AddReadCommand(CLI::App* app, Command* chosen);
void AddSymbolCommand(CLI::App* app, Command* chosen);
void AddVcpuCommand(CLI::App* app, Command* chosen);
void AddStackCommand(CLI::App* app, Command* chosen);
void AddDiffCommand(CLI::App* app, Command* chosen);
void AddReportCommand(CLI::App* app, Command* chosen);
void AddSchemaCommand(CLI::App* app, Command* chosen);
void AddCheckCommand(CLI::App* app, Command* chosen);
void AddCorpusCommand(CLI::App* app, Command* chosen);
void AddExportCommand(CLI::App* app, Command* chosen);
void AddCompletionCommand(CLI::App* app, Command* chosen);  // of all that `app` has when it is run

}  // namespace ktstr

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "analyze/command/command.h"
#include "analyze/index/index.h"
#include "analyze/text/colour.h"
#include "analyze/text/output.h"
#include "analyze/text/sql_hint.h"
#include "libcore/archive/header.h"
#include "libcore/base/interrupt_guard.h"
#include "libcore/base/output.h"
#include "libcore/base/patient_bar.h"
#include "libcore/base/safe_text.h"
#include "replay/host_machine.h"
#include "replay/vmcore/known_dump.h"

namespace ktstr {

namespace {

// What else can be done with an archive that cannot be opened.
Error WithWayOut(const Error& error, const std::string& path) {
  if (error.code() != ErrorCode::kDamaged) return error;
  const auto file = archive::InputFile::Open(path);
  if (!file || !archive::BeginsAsArchive(*file)) return error;
  return Error(error.code(), error.ToString() + fmt::format("; 'ktstr-replay salvage {} NEW.kts' "
                                                            "recovers what is intact",
                                                            path));
}

// Before the work: an import takes its time.
void SayOfDump(const std::string& sentence) {
  fmt::print(stderr, "ktstr-analyze: note: {}\n", SafeText(sentence));
}

}  // namespace

Result<MemorySource*> Session::Memory() {
  if (memory_) return &*memory_;
  if (arguments_.live) {
    if (!arguments_.archive.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("--live asks this machine, and not {}: give one of them",
                              arguments_.archive));
    }
    memory_.emplace(KTSTR_TRY(HostMachine::Open("ktstr-analyze " KTSTR_VERSION)),
                    arguments_.kernel);
    return &*memory_;
  }
  if (arguments_.archive.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "FILE is missing: which archive? (ktstr-analyze FILE …)");
  }
  using Damage = FrozenMachine::Damage;
  const std::string archive =
      KTSTR_TRY(vmcore::ArchiveFor(arguments_.archive, "ktstr-analyze " KTSTR_VERSION, SayOfDump));
  auto machine = FrozenMachine::Open(archive, Damage::kAccept, arguments_.memory);
  if (!machine) return Fail(WithWayOut(machine.error(), archive));
  frozen_ = machine->get();
  memory_.emplace(*std::move(machine), arguments_.kernel);
  return &*memory_;
}

Result<Database*> Session::Index() {
  if (index_) return &*index_;
  MemorySource* memory = KTSTR_TRY(Memory());
  // All tables are made for this one.
  if (frozen_ == nullptr) return WalkedFor("SELECT 1 FROM anomaly");
  // Who names a kernel does not want to hear of the machine without it.
  if (arguments_.kernel.instance != 1) KTSTR_TRY(memory->Kernel());
  constexpr size_t kWidestName = 32;
  const std::string name = std::filesystem::path(arguments_.archive).filename().string();
  PatientBar bar("reading " + CutTo(SafeText(name), kWidestName));
  index_ = KTSTR_TRY(OpenIndex(
      *frozen_, {.use_file = !arguments_.no_index,
                 .accept_damage = true,
                 .damage = &damage_,
                 .kernel = arguments_.kernel,
                 .progress = [&bar](uint64_t done, uint64_t all) { bar.Set(done, all); }}));
  index_->InterruptBy(&InterruptGuard::flag());
  KTSTR_TRY(AddMemorySql(*index_, *memory, anomalies_));
  return &*index_;
}

Result<Database*> Session::TablesFor(const std::string& sql) {
  if (index_ || (!arguments_.no_index && !arguments_.live)) return Index();
  return WalkedFor(sql);
}

Result<Database*> Session::WalkedFor(const std::string& sql) {
  MemorySource* memory = KTSTR_TRY(Memory());
  if (arguments_.kernel.instance != 1) KTSTR_TRY(memory->Kernel());
  if (!partial_) {
    partial_ = KTSTR_TRY(PartialIndex::Open(memory->machine(), arguments_.kernel));
    partial_->database().InterruptBy(&InterruptGuard::flag());
    KTSTR_TRY(AddMemorySql(partial_->database(), *memory, anomalies_));
  }
  KTSTR_TRY(partial_->Fill(sql));
  damage_ = partial_->damage();
  return &partial_->database();
}

Database* Session::Asked() {
  if (index_) return &*index_;
  return partial_ ? &partial_->database() : nullptr;
}

Result<QueryResult> Session::Ask(const std::string& sql, const QueryLimits& limits) {
  const Database* index = KTSTR_TRY(TablesFor(sql));
  const InterruptGuard guard;
  auto answer = index->Query(sql, limits);
  if (!answer) return Fail(WithNearestName(answer.error(), sql));
  return answer;
}

Result<std::string> Session::Answer(const std::string& sql, const QueryLimits& limits) {
  return Show(KTSTR_TRY(Ask(sql, limits)));
}

Result<std::string> Session::AnswerPart(const std::string& name, const std::string& sql,
                                        const QueryLimits& limits) {
  const QueryResult answer = KTSTR_TRY(Ask(sql, limits));
  if (answer.rows.empty()) return fmt::format("{}: none\n", name);
  return name + "\n" + Show(answer);
}

Result<std::string> Session::Stream(const std::string& sql, const QueryLimits& limits) {
  const Database* index = KTSTR_TRY(TablesFor(sql));
  Output& output = Output::Standard();
  // On a terminal a pager shows JSON, as it does text.
  const bool json = format_ == OutputFormat::kJson && !output.is_terminal();
  if ((!json && format_ != OutputFormat::kCsv) || !index->incomplete().empty()) {
    return Answer(sql, limits);
  }
  const InterruptGuard guard;
  // Nobody reads any more: no error, but no reason to go on either.
  const Error gone(ErrorCode::kInterrupted, "the reader is gone");
  const auto write = [&](const std::string& text) -> Status {
    KTSTR_TRY(output.Write(json ? EscapeControls(text) : text));
    return output.has_reader() ? Status() : Status(Fail(gone));
  };
  size_t rows = 0;
  std::optional<JsonRows> json_rows;
  const auto more = index->QueryEach(
      sql, limits,
      [&](const QueryResult& head) {
        if (json) json_rows.emplace(head);
        return json ? Status() : write(CsvHeader(head.columns));
      },
      [&](std::vector<Value>&& row) {
        ++rows;
        return write(json ? json_rows->Row(row) : CsvRow(row));
      });
  if (more && json_rows) KTSTR_TRY(output.Write(json_rows->End()));
  if (!output.has_reader()) return std::string();
  if (!more) return Fail(WithNearestName(more.error(), sql));
  if (*more) NoteMore(rows);
  return std::string();
}

void Session::NoteMore(size_t rows) {
  notes_ += rows == 1 ? "only the first row; there are more\n"
                      : fmt::format("only the first {} rows; there are more\n", rows);
}

std::string Session::Show(const QueryResult& result) {
  if (result.has_more) NoteMore(result.rows.size());
  switch (format_) {
    case OutputFormat::kJson:
      return ToJson(result);
    case OutputFormat::kCsv:
      return ToCsv(result);
    case OutputFormat::kLine:
      return ToLines(result, null_);
    case OutputFormat::kText:
      break;
  }
  const size_t width = TerminalWidth();
  if (unfolds_wide_rows_ && width != 0 && TextTableWidth(result, null_) > width) {
    return ToLines(result, null_);
  }
  return ToTextTable(result, {width, null_, ColoursAreWanted()});
}

void Session::NoteThatItRuns() {
  const Machine* machine = memory_ ? &memory_->machine() : nullptr;
  if (machine == nullptr || !machine->metadata().ran_while_read) return;
  if (std::exchange(told_that_it_runs_, true)) return;
  notes_ +=
      fmt::format("note: {}; rows are of different moments, and what joins them may be torn\n",
                  frozen_ == nullptr ? "this machine runs while it is read"
                                     : "the machine ran while this archive was made");
}

Status Session::Settle(Scope scope) {
  NoteThatItRuns();
  Database* const asked = Asked();
  if (asked == nullptr || !damage_) return {};
  const std::set<std::string> lacking =
      scope == Scope::kAll ? asked->incomplete() : asked->TakeIncompleteRead();
  const std::string damage = SafeText(damage_->ToString());
  const bool told = std::exchange(told_damage_, true);
  if (lacking.empty()) {
    if (!told) notes_ += fmt::format("note: {}; this answer lacks nothing for it\n", damage);
    return {};
  }
  const std::string what =
      fmt::format("{}; for it, {} may lack something", damage, fmt::join(lacking, ", "));
  if (!arguments_.accept_damage) {
    return Fail(ErrorCode::kDamaged, what + " (--accept-damage shows what is left)");
  }
  notes_ += what + "\n";
  if (exit_code_ == ExitCode::kDone) exit_code_ = ExitCode::kBadInput;
  return {};
}

void Session::TakeOver(Session& other) {
  notes_ += other.TakeNotes();
  if (exit_code_ == ExitCode::kDone) exit_code_ = other.exit_code();
}

std::string Session::TakeNotes() {
  std::string text = std::move(notes_);
  notes_.clear();
  const uint64_t count = anomalies_.count() - told_anomalies_;
  if (count == 0) return text;
  constexpr size_t kShown = 5;
  text += fmt::format("not read: {}", count);
  if (count > kShown) text += fmt::format(", the first {} of them", kShown);
  const auto& rows = anomalies_.rows();
  for (size_t i = told_anomalies_; i < rows.size() && i < told_anomalies_ + kShown; ++i) {
    text += fmt::format("\n  {}: {}", rows[i].kind, SafeText(rows[i].detail));
  }
  told_anomalies_ = anomalies_.count();
  return text + "\n";
}

}  // namespace ktstr

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <utility>

#include "analyze/command/command.h"
#include "analyze/index/index.h"
#include "analyze/text/output.h"
#include "analyze/text/sql_hint.h"
#include "libcore/archive/header.h"
#include "libcore/base/interrupt_guard.h"
#include "libcore/base/patient_bar.h"
#include "libcore/base/safe_text.h"

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

}  // namespace

Result<MemorySource*> Session::Memory() {
  if (memory_) return &*memory_;
  if (arguments_.archive.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "FILE is missing: which archive? (ktstr-analyze FILE …)");
  }
  using Damage = FrozenMachine::Damage;
  auto machine = FrozenMachine::Open(arguments_.archive, Damage::kAccept);
  if (!machine) return Fail(WithWayOut(machine.error(), arguments_.archive));
  memory_.emplace(*std::move(machine), arguments_.kernel);
  return &*memory_;
}

Result<Database*> Session::Index() {
  if (index_) return &*index_;
  MemorySource* memory = KTSTR_TRY(Memory());
  // Who names a kernel does not want to hear of the machine without it.
  if (arguments_.kernel.instance != 1) KTSTR_TRY(memory->Kernel());
  constexpr size_t kWidestName = 32;
  const std::string name = std::filesystem::path(arguments_.archive).filename().string();
  PatientBar bar("reading " + CutTo(SafeText(name), kWidestName));
  index_ = KTSTR_TRY(OpenIndex(memory->machine(), {.use_file = !arguments_.no_index,
                                                   .accept_damage = true,
                                                   .damage = &damage_,
                                                   .kernel = arguments_.kernel,
                                                   .progress = [&bar](uint64_t done, uint64_t all) {
                                                     bar.Set(done, all);
                                                   }}));
  index_->InterruptBy(&InterruptGuard::flag());
  KTSTR_TRY(AddMemorySql(*index_, *memory, anomalies_));
  return &*index_;
}

Result<std::string> Session::Answer(const std::string& sql, const QueryLimits& limits) {
  const Database* index = KTSTR_TRY(Index());
  const InterruptGuard guard;
  const auto answer = index->Query(sql, limits);
  if (!answer) return Fail(WithNearestName(answer.error(), sql));
  return Show(*answer);
}

std::string Session::Show(const QueryResult& result) {
  if (result.has_more) {
    const size_t rows = result.rows.size();
    notes_ += rows == 1 ? "only the first row; there are more\n"
                        : fmt::format("only the first {} rows; there are more\n", rows);
  }
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
  return ToTextTable(result, {TerminalWidth(), null_});
}

Status Session::Settle(Scope scope) {
  if (!index_ || !damage_) return {};
  const std::set<std::string> lacking =
      scope == Scope::kAll ? index_->incomplete() : index_->TakeIncompleteRead();
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

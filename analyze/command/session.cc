#include <fmt/format.h>

#include <filesystem>

#include "analyze/command/command.h"
#include "analyze/index/index.h"
#include "analyze/text/output.h"
#include "analyze/text/sql_hint.h"
#include "libcore/base/interrupt_guard.h"
#include "libcore/base/patient_bar.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

Result<MemorySource*> Session::Memory() {
  if (memory_) return &*memory_;
  if (arguments_.archive.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "FILE is missing: which archive? (ktstr-analyze FILE …)");
  }
  memory_.emplace(KTSTR_TRY(FrozenMachine::Open(arguments_.archive)), arguments_.kernel);
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
                                                   .accept_damage = arguments_.accept_damage,
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

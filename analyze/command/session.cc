#include <fmt/format.h>

#include "ktstr/analyze/command/command.h"
#include "ktstr/analyze/index.h"
#include "ktstr/analyze/output.h"
#include "ktstr/base/safe_text.h"

namespace ktstr {

Result<MemorySource*> Session::Memory() {
  if (memory_) return &*memory_;
  if (arguments_.archive.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "FILE is missing: which archive? (ktstr-analyze FILE …)");
  }
  memory_.emplace(KTSTR_TRY(FrozenMachine::Open(arguments_.archive)), arguments_.vmlinux);
  return &*memory_;
}

Result<Database*> Session::Index() {
  if (index_) return &*index_;
  MemorySource* memory = KTSTR_TRY(Memory());
  index_ = KTSTR_TRY(OpenIndex(
      memory->machine(), {!arguments_.no_index, arguments_.accept_damage, arguments_.vmlinux}));
  KTSTR_TRY(AddMemorySql(*index_, *memory, anomalies_));
  return &*index_;
}

Result<std::string> Session::Answer(const std::string& sql, const QueryLimits& limits) {
  const QueryResult result = KTSTR_TRY(KTSTR_TRY(Index())->Query(sql, limits));
  return json() ? ToJson(result) : ToTextTable(result, {TerminalWidth()});
}

std::string Session::AnomalyText() const {
  constexpr size_t kShown = 5;
  if (anomalies_.count() == 0) return "";
  std::string text = fmt::format("not read: {}", anomalies_.count());
  if (anomalies_.count() > kShown) text += fmt::format(", the first {} of them", kShown);
  for (size_t i = 0; i < anomalies_.rows().size() && i < kShown; ++i) {
    const AnomalyRow& row = anomalies_.rows()[i];
    text += fmt::format("\n  {}: {}", row.kind, SafeText(row.detail));
  }
  return text + "\n";
}

std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

}  // namespace ktstr

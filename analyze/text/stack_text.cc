#include "analyze/text/stack_text.h"

#include <fmt/format.h>

#include "analyze/text/output.h"

namespace ktstr {

namespace {

constexpr const char* kQuery =
    "SELECT f.task_kva, coalesce(t.comm, '?') || ' (' || coalesce(f.pid, '?') || ')' || "
    "  CASE WHEN f.running THEN ', running on CPU ' || f.cpu "
    "       ELSE ', ' || coalesce(t.state, '?') || coalesce(' in ' || t.wchan, '') || "
    "            coalesce(', last on CPU ' || f.cpu, '') END, "
    "  f.kind, f.ip, coalesce(f.symbol || printf('+0x%x', f.offset), '?') || "
    "  coalesce(' [' || f.module || ']', ''), "
    "  CASE f.kind WHEN 'end' THEN f.reason || coalesce(': ' || f.detail, '') ELSE f.stack END, "
    "  CASE f.kind WHEN 'end' THEN NULL ELSE f.detail END "
    "FROM stack_frame f LEFT JOIN task t ON t.task_kva = f.task_kva "
    "WHERE {} ORDER BY f.running DESC, f.pid, f.cpu, f.task_kva, f.depth";

bool IsNull(const Value& value) { return std::holds_alternative<std::monostate>(value); }

// An address as 16 digits, as a hex dump has them.
std::string AddressDigits(const Value& ip) {
  return IsNull(ip) ? std::string(16, ' ') : ToDisplay(ip).substr(2);
}

}  // namespace

Result<std::string> StackText(const Database& index, const std::string& condition) {
  const QueryResult frames = KTSTR_TRY(index.Query(fmt::format(fmt::runtime(kQuery), condition)));
  std::string text;
  Value task;
  std::string stack;
  for (const auto& row : frames.rows) {
    const std::string kind = ToDisplay(row[2]);
    if (row[0] != task) {
      text += fmt::format("{}{}\n", text.empty() ? "" : "\n", ToDisplay(row[1]));
      task = row[0];
      stack = "task";
    }
    if (kind == "end") {
      text += fmt::format("  {}  -- {}\n", AddressDigits(row[3]), ToDisplay(row[5]));
      continue;
    }
    // Which stack, where it is another one than before.
    const std::string on = IsNull(row[5]) ? stack : ToDisplay(row[5]);
    text += fmt::format("  {}  {}{}{}{}\n", AddressDigits(row[3]), ToDisplay(row[4]),
                        kind == "call" ? "" : fmt::format("  <{}>", kind),
                        on == stack ? "" : fmt::format("  ({} stack)", on),
                        IsNull(row[6]) ? "" : fmt::format("  ({})", ToDisplay(row[6])));
    stack = on;
  }
  return text;
}

}  // namespace ktstr

#include "analyze/index/sql_functions.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "analyze/index/cells.h"

namespace ktstr {

namespace {

// The number at the begin of `text`, which is then shorter; -1 where there is none.
int64_t TakeNumber(std::string_view& text) {
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return -1;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

bool IsInList(std::string_view list, int64_t cpu) {
  while (!list.empty()) {
    const int64_t first = TakeNumber(list);
    int64_t last = first;
    if (list.starts_with('-')) {
      list.remove_prefix(1);
      last = TakeNumber(list);
    }
    if (first < 0 || last < 0) return false;
    if (first <= cpu && cpu <= last) return true;
    if (list.starts_with(',')) list.remove_prefix(1);
  }
  return false;
}

void CpuInList(sqlite3_context* context, int, sqlite3_value** values) {
  if (sqlite3_value_type(values[0]) == SQLITE_NULL ||
      sqlite3_value_type(values[1]) == SQLITE_NULL) {
    return sqlite3_result_null(context);
  }
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
  const std::string_view list(text == nullptr ? "" : text);
  sqlite3_result_int(context, IsInList(list, sqlite3_value_int64(values[1])) ? 1 : 0);
}

std::optional<std::string_view> TextArgument(sqlite3_value* value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  if (text == nullptr) return std::nullopt;
  return std::string_view(text, static_cast<size_t>(sqlite3_value_bytes(value)));
}

void ReturnText(sqlite3_context* context, std::string_view text) {
  sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void BetweenTexts(sqlite3_context* context, int, sqlite3_value** values) {
  const auto text = TextArgument(values[0]), after = TextArgument(values[1]),
             before = TextArgument(values[2]);
  if (!text || !after || !before) return sqlite3_result_null(context);
  const size_t at = text->find(*after);
  if (at == text->npos) return sqlite3_result_null(context);
  const std::string_view rest = text->substr(at + after->size());
  ReturnText(context, rest.substr(0, rest.find(*before)));
}

// Ids of built-in queues: enum scx_dsq_id_flags (kernel/sched/ext.c, include/linux/sched/ext.h).
constexpr uint64_t kBuiltIn = 1ull << 63, kLocalOn = 1ull << 62;
std::string DsqName(uint64_t id, std::optional<int64_t> cpu) {
  if ((id & kBuiltIn) == 0) return fmt::format("{:#x}", id);
  if ((id & kLocalOn) != 0) return fmt::format("SCX_DSQ_LOCAL_ON | {}", id & UINT32_MAX);
  switch (id & ~kBuiltIn) {
    case 0:
      return "SCX_DSQ_INVALID";
    case 1:
      return "SCX_DSQ_GLOBAL";
    case 2:
      return cpu ? fmt::format("the local queue of CPU {}", *cpu) : "SCX_DSQ_LOCAL";
    case 3:
      return cpu ? fmt::format("the bypass queue of CPU {}", *cpu) : "SCX_DSQ_BYPASS";
    case 4:  // since 7.3, as the next
      return cpu ? fmt::format("the reject queue of CPU {}", *cpu) : "SCX_DSQ_REJECT";
    case 5:
      return cpu ? fmt::format("the rescue queue of CPU {}", *cpu) : "SCX_DSQ_RESCUE";
    default:
      return fmt::format("{:#x}", id);
  }
}

std::optional<uint64_t> HexArgument(sqlite3_value* value) {
  const auto text = TextArgument(value);
  return text ? HexNumberOf(*text) : std::nullopt;
}

void HexValue(sqlite3_context* context, int, sqlite3_value** values) {
  const auto number = HexArgument(values[0]);
  if (!number) return sqlite3_result_null(context);
  sqlite3_result_int64(context, static_cast<int64_t>(*number));
}

void NameOfDsq(sqlite3_context* context, int count, sqlite3_value** values) {
  const auto id = HexArgument(values[0]);
  if (!id) return sqlite3_result_null(context);
  std::optional<int64_t> cpu;
  if (count == 2 && sqlite3_value_type(values[1]) == SQLITE_INTEGER) {
    cpu = sqlite3_value_int64(values[1]);
  }
  ReturnText(context, DsqName(*id, cpu));
}

}  // namespace

void AddSqlFunctions(sqlite3* db) {
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
  sqlite3_create_function_v2(db, "between_texts", 3, kFlags, nullptr, BetweenTexts, nullptr,
                             nullptr, nullptr);
  sqlite3_create_function_v2(db, "hex_value", 1, kFlags, nullptr, HexValue, nullptr, nullptr,
                             nullptr);
  for (const int arguments : {1, 2}) {
    sqlite3_create_function_v2(db, "dsq_name", arguments, kFlags, nullptr, NameOfDsq, nullptr,
                               nullptr, nullptr);
  }
  sqlite3_create_function_v2(db, "cpu_in_list", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr,
                             CpuInList, nullptr, nullptr, nullptr);
}

std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

}  // namespace ktstr

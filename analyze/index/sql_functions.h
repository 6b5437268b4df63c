// Functions of ours that queries can use.
#pragma once

#include <string>
#include <string_view>

struct sqlite3;

namespace ktstr {

// A function's signature and meaning, for people.
struct SqlFunctionInfo {
  std::string_view name, signature, meaning;
};
inline constexpr SqlFunctionInfo kCpuInList = {
    "cpu_in_list", "cpu_in_list(list, cpu)",
    "1 when a CPU is in a list such as '0-3,8', else 0; NULL when either is."};

// Adds them to a connection.
void AddSqlFunctions(sqlite3* db);

// Text as an SQL literal.
std::string Quoted(std::string_view text);

}  // namespace ktstr

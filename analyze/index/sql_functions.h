// Functions of ours that queries can use.
#pragma once

#include <array>
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
inline constexpr SqlFunctionInfo kBetweenTexts = {
    "between_texts", "between_texts(text, after, before)",
    "What stands in a text behind the first `after`, up to the next `before` or else to the end; "
    "NULL where `after` is not in it."};
inline constexpr SqlFunctionInfo kHexValue = {
    "hex_value", "hex_value(text)", "What a text '0x…' is as an integer; from 2^63 on negative."};
inline constexpr SqlFunctionInfo kDsqName = {
    "dsq_name", "dsq_name(dsq_id[, cpu])",
    "A dispatch queue as the kernel's headers write it: '0x3e8', 'SCX_DSQ_GLOBAL', 'the local "
    "queue of CPU 3'."};
inline constexpr std::array kSqlFunctions = {kCpuInList, kHexValue, kDsqName, kBetweenTexts};

// Adds them to a connection.
void AddSqlFunctions(sqlite3* db);

// Text as an SQL literal.
std::string Quoted(std::string_view text);

}  // namespace ktstr

// The one file that has what toml++ is made of (TOML_HEADER_ONLY=0).
#define TOML_IMPLEMENTATION
// Its parser asserts, and has clang assume, what no file has to keep to (that a key follows "["),
// and then says what is wrong all the same.
#undef NDEBUG
#define TOML_ASSERT(expr) static_assert(true)
#include "libcore/toml/toml_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libcore/base/nearest_word.h"
#include "libcore/base/quantity.h"

namespace ktstr {

namespace {

using nlohmann::json;

std::vector<std::string_view> Views(const std::vector<std::string>& words) {
  return {words.begin(), words.end()};
}

json ToJson(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    json object = json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = ToJson(value);
    return object;
  }
  if (const auto* array = node.as_array()) {
    json list = json::array();
    for (const auto& value : *array) list.push_back(ToJson(value));
    return list;
  }
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<int64_t>()) return *number;
  if (const auto number = node.value_exact<double>()) return *number;
  if (const auto yes = node.value_exact<bool>()) return *yes;
  return nullptr;  // a date or a time
}

}  // namespace

void TomlProblem::Report(int line, const std::string& what) {
  mistakes_.emplace_back(line, line > 0 ? fmt::format("{}:{}: {}", file_, line, what)
                                        : fmt::format("{}: {}", file_, what));
}

Status TomlProblem::ToStatus() const {
  if (!found()) return {};
  return Fail(ErrorCode::kInvalidArgument, mistakes_.front().second);
}

Status TomlProblem::AllToStatus() const {
  if (!found()) return {};
  auto sorted = mistakes_;
  std::ranges::stable_sort(sorted, {}, &std::pair<int, std::string>::first);
  std::string text;
  for (const auto& [line, mistake] : sorted) text += (text.empty() ? "" : "; ") + mistake;
  return Fail(ErrorCode::kInvalidArgument, text);
}

Result<toml::table> ParseToml(std::string_view text, const std::string& file) {
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    TomlProblem problem(file);
    problem.Report(static_cast<int>(error.source().begin.line), std::string(error.description()));
    return Fail(problem.ToStatus().error());
  }
}

const toml::node* TomlTable::Find(std::string_view key) {
  asked_.emplace_back(key);
  return node_->get(key);
}

int TomlTable::LineOf(std::string_view key) const {
  const toml::node* node = node_->get(key);
  return node == nullptr ? line() : static_cast<int>(node->source().begin.line);
}

void TomlTable::WrongType(std::string_view key, std::string_view wanted) {
  Complain(key, fmt::format("'{}' of {} must be {}", key, what_, wanted));
}

void TomlTable::Read(std::string_view key, std::string* value) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto text = node->value_exact<std::string>();
  if (text) *value = *text;
  if (!text) WrongType(key, "a string");
}

void TomlTable::Read(std::string_view key, bool* value) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto yes = node->value_exact<bool>();
  if (yes) *value = *yes;
  if (!yes) WrongType(key, "true or false");
}

void TomlTable::Read(std::string_view key, double* value) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto number = node->value<double>();  // whole numbers too
  if (number) *value = *number;
  if (!number) WrongType(key, "a number");
}

void TomlTable::Read(std::string_view key, std::vector<std::string>* value) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  std::vector<std::string> words;
  for (size_t i = 0; array != nullptr && i < array->size(); ++i) {
    const auto text = (*array)[i].value_exact<std::string>();
    if (text) words.push_back(*text);
  }
  if (array == nullptr || words.size() != array->size()) return WrongType(key, "a list of strings");
  *value = std::move(words);
}

void TomlTable::Read(std::string_view key, int64_t* value, int64_t least, int64_t most) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto number = node->value_exact<int64_t>();
  if (number && *number >= least && *number <= most) {
    *value = *number;
  } else {
    WrongType(key, fmt::format("a whole number from {} to {}", least, most));
  }
}

void TomlTable::Read(std::string_view key, int* value, int least, int most) {
  int64_t wide = *value;
  Read(key, &wide, least, most);
  *value = static_cast<int>(wide);
}

void TomlTable::Read(std::string_view key, std::chrono::microseconds* value) {
  if (!Has(key)) return;
  std::string text;
  Read(key, &text);
  if (!Find(key)->is_string()) return;  // which has been told
  const auto parsed = ParseDuration(text);
  if (parsed) *value = *parsed;
  if (!parsed) Complain(key, fmt::format("'{}' of {}: {}", key, what_, parsed.error().message()));
}

void TomlTable::ReadSize(std::string_view key, uint64_t* value) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto number = node->value_exact<int64_t>();
  const auto text =
      number ? std::to_string(*number) : node->value_exact<std::string>().value_or("");
  const auto parsed = ParseSize(text);
  if (parsed) *value = *parsed;
  if (!parsed) Complain(key, fmt::format("'{}' of {}: {}", key, what_, parsed.error().message()));
}

void TomlTable::ReadWord(std::string_view key, std::span<const std::string_view> words,
                         size_t* index) {
  if (!Has(key)) return;
  std::string word;
  Read(key, &word);
  if (!Find(key)->is_string()) return;  // which has been told
  const auto found = std::ranges::find(words, word);
  if (found == words.end()) {
    return Complain(key, UnknownWord(fmt::format("word for '{}' of {}:", key, what_), word, words));
  }
  *index = size_t(found - words.begin());
}

void TomlTable::ReadJson(std::string_view key, json* value) {
  if (const toml::node* node = Find(key)) *value = ToJson(*node);
}

void TomlTable::Require(std::string_view key) {
  if (!Has(key)) Report(line(), fmt::format("{} needs '{}'", what_, key));
}

std::optional<TomlTable> TomlTable::Table(std::string_view key) {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (node->as_table() == nullptr) {
    WrongType(key, "a table");
    return std::nullopt;
  }
  return TomlTable(*node->as_table(), fmt::format("[{}]", key), problem_);
}

std::vector<TomlTable> TomlTable::Tables(std::string_view key) {
  const toml::node* node = Find(key);
  std::vector<TomlTable> tables;
  const toml::array* array = node == nullptr ? nullptr : node->as_array();
  for (size_t i = 0; array != nullptr && i < array->size(); ++i) {
    const toml::table* table = (*array)[i].as_table();
    if (table != nullptr) tables.emplace_back(*table, fmt::format("[[{}]]", key), problem_);
  }
  if (node != nullptr && (array == nullptr || tables.size() != array->size())) {
    WrongType(key, fmt::format("tables of the form [[{}]]", key));
  }
  return tables;
}

std::vector<std::string> TomlTable::Keys() const {
  std::vector<std::pair<toml::source_position, std::string>> placed;
  for (const auto& [key, value] : *node_) placed.emplace_back(key.source().begin, key.str());
  std::ranges::sort(placed, [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> keys;
  for (auto& [place, key] : placed) keys.push_back(std::move(key));
  return keys;
}

void TomlTable::Finish() {
  for (const auto& key : Keys()) {
    if (std::ranges::find(asked_, key) != asked_.end()) continue;
    int line = LineOf(key);
    for (const auto& [name, value] : *node_) {
      if (name.str() == key) line = static_cast<int>(name.source().begin.line);
    }
    Report(line, UnknownWord(fmt::format("key in {}:", what_), key, Views(asked_)));
  }
}

}  // namespace ktstr

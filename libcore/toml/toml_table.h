// Reads tables of a TOML file, where a person may have written anything: every error names the
// line.
#pragma once

#include <toml++/toml.h>

#include <chrono>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

// What is wrong with a file. Readers go on with defaults after a mistake, and look here at the end.
class TomlProblem {
 public:
  explicit TomlProblem(std::string file) : file_(std::move(file)) {}

  // Remembers "FILE:LINE: what". Line 0: the file as a whole.
  void Report(int line, const std::string& what);
  bool found() const { return !mistakes_.empty(); }
  // kInvalidArgument with the mistake that was reported first, or nothing: others may come of it.
  Status ToStatus() const;
  // The same with all of them in the order of their lines, for a reader that reports none that
  // come of others.
  Status AllToStatus() const;

 private:
  std::string file_;
  std::vector<std::pair<int, std::string>> mistakes_;  // by line
};

// The whole file. Errors: kInvalidArgument, as "FILE:LINE: …".
Result<toml::table> ParseToml(std::string_view text, const std::string& file);

class TomlTable {
 public:
  // `what` is how messages name the table, such as "[machine]" or "[[worker]]". `node` and
  // `problem` must outlive it.
  TomlTable(const toml::table& node, std::string what, TomlProblem* problem)
      : node_(&node), what_(std::move(what)), problem_(problem) {}

  int line() const { return static_cast<int>(node_->source().begin.line); }
  // The line of the key's value; the table's where there is none.
  int LineOf(std::string_view key) const;
  bool Has(std::string_view key) { return Find(key) != nullptr; }

  // Each leaves `value` alone when the key is not there.
  void Read(std::string_view key, std::string* value);
  void Read(std::string_view key, bool* value);
  void Read(std::string_view key, double* value);
  void Read(std::string_view key, std::vector<std::string>* value);
  // From `least` to `most`.
  void Read(std::string_view key, int64_t* value, int64_t least, int64_t most);
  void Read(std::string_view key, int* value, int least, int most);
  // A duration, written as a string (quantity.h).
  void Read(std::string_view key, std::chrono::microseconds* value);
  // A size in bytes, written as a number or as a string such as "512M".
  void ReadSize(std::string_view key, uint64_t* value);
  // One of `words`: its index.
  void ReadWord(std::string_view key, std::span<const std::string_view> words, size_t* index);
  // A table, a number, a string, an array of them: as JSON.
  void ReadJson(std::string_view key, nlohmann::json* value);
  // Complains when the key is not there.
  void Require(std::string_view key);

  // The table under that key; nothing when it is not there.
  std::optional<TomlTable> Table(std::string_view key);
  // The tables [[key]].
  std::vector<TomlTable> Tables(std::string_view key);
  // All keys, in the file's order.
  std::vector<std::string> Keys() const;

  void Complain(std::string_view key, const std::string& what) { Report(LineOf(key), what); }
  void Report(int line, const std::string& what) { problem_->Report(line, what); }

  // Complains of each key that nobody has asked for.
  void Finish();

 private:
  const toml::node* Find(std::string_view key);
  void WrongType(std::string_view key, std::string_view wanted);

  const toml::table* node_;
  std::string what_;
  TomlProblem* problem_;
  std::vector<std::string> asked_;
};

}  // namespace ktstr

#include "analyze/corpus/entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "libcore/base/safe_text.h"
#include "libcore/base/text_file.h"
#include "libcore/toml/toml_table.h"

namespace ktstr {

Status CheckWord(std::string_view what, std::string_view word) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-+@=").find(c) != std::string_view::npos;
  };
  if (!word.empty() && word[0] != '.' && word[0] != '-' && std::ranges::all_of(word, allowed)) {
    return {};
  }
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("'{}' is no {}: use letters, digits and . _ - + @ =", SafeText(word), what));
}

Result<CorpusEntry> ReadEntry(const std::filesystem::path& file) {
  const toml::table parsed = KTSTR_TRY(ParseToml(KTSTR_TRY(ReadTextFile(file)), file.string()));
  TomlProblem problem(file.string());
  TomlTable root(parsed, "the file", &problem);
  CorpusEntry entry{.digest = file.stem().string(), .name = {}, .added_at = {}, .scenario = {}};
  root.Require("name");
  root.Read("name", &entry.name);
  root.Read("added_at", &entry.added_at);
  root.Read("tags", &entry.tags);
  root.Read("scenario", &entry.scenario);
  root.Finish();
  KTSTR_TRY(problem.ToStatus());
  KTSTR_TRY(CheckWord("name", entry.name));
  return entry;
}

Status WriteEntry(const std::filesystem::path& file, const CorpusEntry& entry) {
  toml::array tags;
  for (const std::string& tag : entry.tags) tags.push_back(tag);
  toml::table table{{"name", entry.name}, {"added_at", entry.added_at}, {"tags", tags}};
  if (!entry.scenario.empty()) table.insert("scenario", entry.scenario);
  std::ostringstream text;
  text << toml::toml_formatter(table) << "\n";
  return WriteTextFile(file, text.str());
}

}  // namespace ktstr

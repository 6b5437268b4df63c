#include "analyze/corpus/questions.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "analyze/check/check.h"
#include "analyze/index/cells.h"
#include "analyze/text/output.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRules = "rules";
constexpr std::string_view kTables = "tables";

// Which built-in rules fail.
QueryResult AskRules(const Database& index, double timeout_s) {
  QueryResult answer{{"rule", "outcome", "rows"}, {}};
  for (const RuleResult& result : RunRules(index, BuiltInRules(), {.timeout_s = timeout_s})) {
    answer.rows.push_back(
        {result.rule->name, std::string(OutcomeName(result.outcome)), int64_t(result.all_rows)});
  }
  return answer;
}

// How many rows each table has.
Result<QueryResult> AskTables(const Database& index, const QueryLimits& limits) {
  const QueryResult names = KTSTR_TRY(
      index.Query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                  "'log_text%' AND name NOT LIKE 'sqlite_%' AND name != 'index_key' ORDER BY name",
                  limits));
  std::string sql;
  for (const auto& row : names.rows) {
    const std::string& name = TextOf(row[0]);
    sql += fmt::format("{}SELECT '{}' AS \"table\", count(*) AS rows FROM \"{}\"",
                       sql.empty() ? "" : " UNION ALL ", name, name);
  }
  return index.Query(sql, limits);
}

std::vector<Question> BuiltIn() {
  return {
      {"findings", "SELECT severity, rule, subject, detail FROM finding"},
      {std::string(kRules), ""},
      {"scheduler", "SELECT ops_name, enable_state, exit_kind, exit_reason, exit_message FROM scx"},
      {std::string(kTables), ""}};
}

}  // namespace

Result<std::vector<Question>> QuestionsOf(const Corpus& corpus) {
  std::vector<Question> questions = BuiltIn();
  const fs::path directory = corpus.directory() / "questions";
  std::error_code error;
  if (!fs::exists(directory, error)) return questions;
  std::vector<fs::path> files;
  for (const auto& file : fs::directory_iterator(directory, error)) {
    if (file.path().extension() == ".sql") files.push_back(file.path());
  }
  if (error) {
    return Fail(ErrorCode::kIo,
                fmt::format("reading '{}': {}", directory.string(), error.message()));
  }
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    const std::string name = file.stem().string();
    KTSTR_TRY(CheckWord("question's name", name));
    if (std::ranges::find(questions, name, &Question::name) != questions.end()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' has the name of a built-in question", file.string()));
    }
    questions.push_back({name, KTSTR_TRY(ReadTextFile(file))});
  }
  return questions;
}

Result<std::string> AnswerTo(const Question& question, const Database& index, double timeout_s) {
  const QueryLimits limits{.timeout_s = timeout_s};
  std::string csv = question.name == kRules ? ToCsv(AskRules(index, timeout_s))
                    : question.name == kTables
                        ? ToCsv(KTSTR_TRY(AskTables(index, limits)))
                        : ToCsv(KTSTR_TRY(index.Query(question.sql, limits)));
  std::erase(csv, '\r');
  return csv;
}

}  // namespace ktstr

#include "analyze/text/findings_text.h"

#include <fmt/format.h>

#include <map>

#include "analyze/index/cells.h"
#include "analyze/text/output.h"
#include "analyze/text/wrap.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

constexpr size_t kSeverityColumns = 9;  // "warning" and two spaces

std::string Paragraph(size_t indent, std::string_view text, size_t width, size_t hanging) {
  return Wrapped(std::string(indent, ' ') + std::string(text), width, indent + hanging) + "\n";
}

std::string FindingLine(const std::vector<Value>& row, size_t indent, size_t width) {
  const std::string line = fmt::format("{:<{}}{}: {} [{}]", ToDisplay(row[0]), kSeverityColumns,
                                       ToDisplay(row[1]), ToDisplay(row[2]), ToDisplay(row[3]));
  return Paragraph(indent, line, width, kSeverityColumns);
}

}  // namespace

Result<std::string> VerdictText(const Database& index, size_t max_width) {
  const QueryResult verdict =
      KTSTR_TRY(index.Query("SELECT sentence, certainty, explains FROM verdict"));
  std::string text;
  for (const auto& row : verdict.rows) {
    text +=
        Paragraph(0, fmt::format("{} ({})", ToDisplay(row[0]), ToDisplay(row[1])), max_width, 0);
    if (const std::string explains = TextOf(row[2]); !explains.empty()) {
      text += Paragraph(2, "explains " + SafeText(explains), max_width, 2);
    }
  }
  return text;
}

Result<std::string> OtherFindingsText(const Database& index, size_t max_width, size_t limit) {
  // Those below others are told of with these, as what they explain.
  const QueryResult others = KTSTR_TRY(index.Query(
      "SELECT severity, subject, detail, rule FROM finding WHERE explained_by IS NULL AND rank IS "
      "NOT (SELECT finding FROM verdict) ORDER BY rank"));
  if (others.rows.empty()) return std::string();
  std::string text = "Also\n";
  for (size_t i = 0; i < others.rows.size() && i < limit; ++i) {
    text += FindingLine(others.rows[i], 2, max_width);
  }
  if (others.rows.size() > limit) {
    text += fmt::format("  and {} more: findings --all\n", others.rows.size() - limit);
  }
  return text;
}

Result<std::string> FindingsText(const Database& index, size_t max_width, FindingsShown shown) {
  std::string text = KTSTR_TRY(VerdictText(index, max_width));
  if (shown == FindingsShown::kFolded) {
    const std::string others = KTSTR_TRY(OtherFindingsText(index, max_width, SIZE_MAX));
    return others.empty() ? text : text + "\n" + others;
  }
  const QueryResult all = KTSTR_TRY(index.Query(
      "SELECT severity, subject, detail, rule, rank, explained_by FROM finding ORDER BY rank"));
  if (all.rows.empty()) return text;
  text += "\n";
  std::map<int64_t, size_t> indents;  // of each rank
  for (const auto& row : all.rows) {
    const auto cause = indents.find(IntegerOf(row[5]));
    const size_t indent = cause == indents.end() ? 0 : cause->second + 2;
    indents[IntegerOf(row[4])] = indent;
    text += FindingLine(row, indent, max_width);
  }
  return text;
}

}  // namespace ktstr

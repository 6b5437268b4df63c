#include "analyze/views/views.h"

#include <fmt/format.h>

#include <algorithm>

namespace ktstr {

namespace {

std::string_view Trimmed(std::string_view line) {
  const size_t begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(' ') + 1 - begin);
}

// Reads the comments of a file up to the ")" behind the last column.
void Describe(View& view) {
  std::string comment;
  for (std::string_view rest = view.text; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = Trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.starts_with(')')) return;
    if (line.starts_with("-- ")) {
      comment += (comment.empty() ? "" : " ") + std::string(line.substr(3));
    } else if (line.starts_with("CREATE ")) {
      view.meaning = std::move(comment);
      comment.clear();
    } else {
      if (line.ends_with(',')) line.remove_suffix(1);
      view.columns.push_back({std::string(line), std::move(comment)});
      comment.clear();
    }
  }
}

std::vector<View> AllViews() {
  std::vector<View> views = {
#include "views.inc"
  };
  for (View& view : views) Describe(view);
  return views;
}

}  // namespace

const std::vector<View>& Views() {
  static const std::vector<View> views = AllViews();
  return views;
}

Status AddView(Database& index, const View& view) {
  const Status added = index.Execute(std::string(view.text));
  if (!added) return Fail(Error(added.error()).Wrap(fmt::format("the view {}", view.name)));
  return {};
}

Status AddViews(Database& index) {
  for (const View& view : Views()) KTSTR_TRY(AddView(index, view));
  return {};
}

std::string_view UnitOf(std::string_view column) {
  for (const std::string_view unit : {"ns", "ms", "bytes"}) {
    if (column.size() > unit.size() && column.ends_with(unit) &&
        column[column.size() - unit.size() - 1] == '_') {
      return unit;
    }
  }
  return {};
}

}  // namespace ktstr

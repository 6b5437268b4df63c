#include "analyze/text/stack_groups.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "analyze/index/cells.h"

namespace ktstr {

namespace {

// A frame in one line. The stack is named where it is not the task's own.
constexpr const char* kFrames =
    "SELECT task_kva, kind = 'end', running, "
    "CASE kind WHEN 'end' THEN coalesce(reason, 'unknown') || coalesce(': ' || detail, '') "
    "ELSE coalesce(symbol || printf('+0x%x', offset), ip, 'unknown') || "
    "     coalesce(' [' || module || ']', '') || "
    "     CASE kind WHEN 'call' THEN '' ELSE ' <' || kind || '>' END || "
    "     CASE WHEN stack IS NULL OR stack = 'task' THEN '' ELSE ' (' || stack || ' stack)' END "
    "END "
    "FROM stack_frame ORDER BY task_kva, depth";

struct OneStack {
  std::vector<size_t> frames;
  std::string end;
  bool running = false;
};

class Grouping {
 public:
  void Add(size_t task, OneStack stack) {
    const auto key = std::make_tuple(stack.running, stack.end, stack.frames);
    const auto [entry, is_new] = numbers_.emplace(key, groups_.size());
    if (is_new) groups_.push_back({std::move(stack.frames), stack.end, stack.running, {}});
    groups_[entry->second].tasks.push_back(task);
  }
  StackGroups Take() && {
    for (StackGroup& group : groups_) std::sort(group.tasks.begin(), group.tasks.end());
    std::stable_sort(groups_.begin(), groups_.end(), [](const auto& a, const auto& b) {
      return std::make_pair(a.running, a.tasks.size()) > std::make_pair(b.running, b.tasks.size());
    });
    StackGroups result{std::move(groups_), {}};
    for (size_t g = 0; g < result.groups.size(); ++g) {
      for (const size_t task : result.groups[g].tasks) result.of_task[task] = g;
    }
    return result;
  }

 private:
  std::vector<StackGroup> groups_;
  std::map<std::tuple<bool, std::string, std::vector<size_t>>, size_t> numbers_;
};

}  // namespace

Result<StackGroups> GroupStacks(const Database& index, const QueryResult& tasks, size_t kva_column,
                                SharedTexts& texts) {
  std::unordered_map<std::string, size_t> task_numbers;
  for (size_t i = 0; i < tasks.rows.size(); ++i) {
    const auto* kva = std::get_if<std::string>(&tasks.rows[i][kva_column]);
    if (kva != nullptr) task_numbers[*kva] = i;
  }
  const QueryResult frames = KTSTR_TRY(index.Query(kFrames));
  Grouping grouping;
  for (size_t r = 0; r < frames.rows.size();) {
    const std::string& kva = TextOf(frames.rows[r][0]);
    OneStack stack;
    for (bool same = true; same;
         same = r < frames.rows.size() && TextOf(frames.rows[r][0]) == kva) {
      const auto& row = frames.rows[r++];
      stack.running = row[2] == Value(int64_t{1});
      const auto& text = TextOf(row[3]);
      if (row[1] == Value(int64_t{1})) {
        stack.end = text;
      } else {
        stack.frames.push_back(texts.NumberOf(text));
      }
    }
    const auto task = task_numbers.find(kva);
    if (task != task_numbers.end()) grouping.Add(task->second, std::move(stack));
  }
  return std::move(grouping).Take();
}

}  // namespace ktstr

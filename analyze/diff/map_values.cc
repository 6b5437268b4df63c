#include "analyze/diff/map_values.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace ktstr {

namespace {

using nlohmann::json;

json Parsed(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? json() : json::parse(*text, nullptr, /*allow_exceptions=*/false);
}

Value ToValue(const json& leaf) {
  if (leaf.is_null()) return {};
  if (leaf.is_number_integer() && !leaf.is_number_unsigned()) return leaf.get<int64_t>();
  // More than an INTEGER holds stays text.
  if (leaf.is_number_unsigned() && leaf.get<uint64_t>() <= INT64_MAX) return leaf.get<int64_t>();
  return leaf.is_string() ? leaf.get<std::string>() : leaf.dump();
}

// "/members/0/weight" as "members.0.weight".
std::string PathOf(const std::string& pointer) {
  std::string path = pointer.substr(pointer.empty() ? 0 : 1);
  std::replace(path.begin(), path.end(), '/', '.');
  return path;
}

void AddSpeed(Difference& change, std::optional<int64_t> elapsed_ns) {
  const auto *before = std::get_if<int64_t>(&change.before),
             *after = std::get_if<int64_t>(&change.after);
  if (before == nullptr || after == nullptr) return;
  int64_t delta = 0;
  if (__builtin_sub_overflow(*after, *before, &delta)) return;
  change.delta = delta;
  if (elapsed_ns.value_or(0) == 0) return;
  change.per_second = static_cast<double>(delta) * 1e9 / static_cast<double>(*elapsed_ns);
}

void AddMembers(const Difference& whole, std::optional<int64_t> elapsed_ns,
                std::vector<Difference>& members) {
  const json before = Parsed(whole.before), after = Parsed(whole.after);
  if (before.is_discarded() || after.is_discarded() || before.is_null() || after.is_null()) {
    members.push_back(whole);
    return;
  }
  const json old_leaves = before.flatten(), new_leaves = after.flatten();
  std::set<std::string> pointers;
  for (const json* leaves : {&old_leaves, &new_leaves}) {
    for (const auto& [pointer, leaf] : leaves->items()) pointers.insert(pointer);
  }
  for (const std::string& pointer : pointers) {
    const json old_leaf = old_leaves.value(pointer, json()),
               leaf = new_leaves.value(pointer, json());
    if (old_leaf == leaf) continue;
    Difference member = whole;
    if (!pointer.empty()) member.field = PathOf(pointer);
    member.before = ToValue(old_leaf);
    member.after = ToValue(leaf);
    AddSpeed(member, elapsed_ns);
    members.push_back(std::move(member));
  }
}

}  // namespace

std::vector<Difference> ByMember(std::vector<Difference> values,
                                 std::optional<int64_t> elapsed_ns) {
  std::vector<Difference> members;
  for (Difference& value : values) {
    if (value.change == "changed" && value.field == "value") {
      AddMembers(value, elapsed_ns, members);
    } else {
      members.push_back(std::move(value));
    }
  }
  return members;
}

}  // namespace ktstr

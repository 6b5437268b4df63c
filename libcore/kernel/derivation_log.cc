#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "libcore/kernel/bootstrap.h"

namespace ktstr {

void DerivationLog::Found(std::string name, std::string method, uint64_t value, std::string note) {
  all_.push_back(
      {std::move(name), std::move(method), fmt::format("{:#x}", value), false, std::move(note)});
}

void DerivationLog::None(std::string name, std::string method, std::string note) {
  all_.push_back({std::move(name), std::move(method), "", false, std::move(note)});
}

std::optional<uint64_t> DerivationLog::Choose(std::string_view name) {
  std::map<std::string, int> votes;
  for (const Derivation& d : all_) {
    if (d.name == name && !d.value.empty()) ++votes[d.value];
  }
  Derivation* best = nullptr;
  for (Derivation& d : all_) {
    if (d.name != name || d.value.empty()) continue;
    if (best == nullptr || votes[d.value] > votes[best->value]) best = &d;
  }
  if (best == nullptr) return std::nullopt;
  best->chosen = true;
  uint64_t value = 0;
  std::from_chars(best->value.data() + 2, best->value.data() + best->value.size(), value, 16);
  return value;
}

std::vector<std::string> DerivationLog::Disagreements() const {
  std::map<std::string, std::vector<const Derivation*>> by_name;
  for (const Derivation& d : all_) {
    if (!d.value.empty()) by_name[d.name].push_back(&d);
  }
  std::vector<std::string> sentences;
  for (const auto& [name, derivations] : by_name) {
    std::set<std::string> values;
    std::string list;
    for (const Derivation* d : derivations) {
      values.insert(d->value);
      list += fmt::format("{}{} by {}{}", list.empty() ? "" : ", ", d->value, d->method,
                          d->chosen ? " (taken)" : "");
    }
    if (values.size() > 1) sentences.push_back(fmt::format("{}: {}", name, list));
  }
  return sentences;
}

}  // namespace ktstr

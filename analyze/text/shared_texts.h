// Texts of which many are the same, each kept once and known by its number.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

namespace ktstr {

class SharedTexts {
 public:
  SharedTexts() = default;
  // A copy would point into the original.
  SharedTexts(SharedTexts&&) = default;
  SharedTexts& operator=(SharedTexts&&) = default;

  // The number that it has, or the next one.
  size_t NumberOf(const std::string& text);
  const std::string& At(size_t number) const { return *texts_[number]; }
  size_t size() const { return texts_.size(); }

 private:
  std::unordered_map<std::string, size_t> numbers_;
  std::vector<const std::string*> texts_;  // keys of the map
};

inline size_t SharedTexts::NumberOf(const std::string& text) {
  const auto [entry, is_new] = numbers_.emplace(text, texts_.size());
  if (is_new) texts_.push_back(&entry->first);
  return entry->second;
}

}  // namespace ktstr

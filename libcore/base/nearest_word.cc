#include "libcore/base/nearest_word.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace ktstr {

namespace {

// More words than a reader looks through are not listed.
constexpr size_t kMaxListed = 60;

// How many letters must be put in, left out, replaced, or exchanged with their neighbour.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (exchanged) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

std::string NearestWord(std::string_view word, std::span<const std::string_view> words) {
  const auto nearest = std::ranges::min_element(
      words, {}, [&](std::string_view other) { return EditDistance(word, other); });
  return nearest == words.end() ? "" : std::string(*nearest);
}

std::string UnknownWord(std::string_view what, std::string_view word,
                        std::span<const std::string_view> words) {
  const std::string nearest = NearestWord(word, words);
  if (nearest.empty()) return fmt::format("unknown {} '{}'", what, word);
  // Words that share less than half of their letters are no mistypings of each other.
  if (EditDistance(word, nearest) <= std::max<size_t>(nearest.size() / 2, 1)) {
    return fmt::format("unknown {} '{}'; did you mean '{}'?", what, word, nearest);
  }
  if (words.size() > kMaxListed) return fmt::format("unknown {} '{}'", what, word);
  return fmt::format("unknown {} '{}'; there are {}", what, word, fmt::join(words, ", "));
}

}  // namespace ktstr

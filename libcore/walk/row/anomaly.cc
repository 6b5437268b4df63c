#include "libcore/walk/row/anomaly.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ktstr {

const RowTable<AnomalyRow>& AnomalyRow::Table() {
  static const RowTable<AnomalyRow> table(
      "anomaly", "What a walker could not read or make sense of; everything else was still walked.",
      {
          Col<&AnomalyRow::walker>("walker", "", "Which walker: the table that it fills."),
          Col<&AnomalyRow::kind>("kind", "",
                                 "What happened, such as cycle, cap, unreadable, no member; torn: "
                                 "perhaps only because the machine ran while it was read."),
          Col<&AnomalyRow::address>("address", "", "Where, as a kernel address."),
          Col<&AnomalyRow::detail>("detail", "", "What was being read and what was found."),
      });
  return table;
}

bool MayBeTorn(const AnomalyRow& anomaly) {
  constexpr std::array<std::string_view, 7> kAsItIs = {
      "no member", "no symbol", "no registers", "cap", "stopped", "not found", "unsupported"};
  return std::ranges::find(kAsItIs, anomaly.kind) == kAsItIs.end();
}

size_t CountOfTearable(const std::vector<AnomalyRow>& anomalies) {
  return static_cast<size_t>(std::ranges::count_if(anomalies, MayBeTorn));
}

void Anomalies::Add(std::string kind, std::optional<Kva> address, std::string detail) {
  if (rows_.size() >= kMostRows) {
    if (left_out_++ == 0) rows_.emplace_back();
    rows_.back() = {walker_, "cap", std::nullopt,
                    fmt::format("{} more anomalies are left out", left_out_)};
    return;
  }
  rows_.push_back({walker_, std::move(kind), address ? std::optional(Hex(*address)) : std::nullopt,
                   std::move(detail)});
}

void Anomalies::Add(const Error& error, std::optional<Kva> address, std::string_view doing) {
  Add(std::string(ErrorCodeName(error.code())), address,
      fmt::format("{}: {}", doing, error.ToString()));
}

void Anomalies::AddStopped(Kva at, std::string_view name) {
  Add("stopped", at, fmt::format("{}: was asked to end", name));
}

}  // namespace ktstr

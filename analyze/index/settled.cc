#include "analyze/index/settled.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace ktstr {

namespace {

std::tuple<std::string, uint64_t, std::string> PlaceOf(const AnomalyRow& anomaly) {
  return {anomaly.kind, anomaly.address ? anomaly.address->value : 0,
          anomaly.address ? std::string() : anomaly.detail};
}

}  // namespace

Settling::Places Settling::PlacesOf(const std::vector<AnomalyRow>& anomalies) {
  Places places;
  for (const AnomalyRow& anomaly : anomalies) places.insert(PlaceOf(anomaly));
  return places;
}

Settling::Places Settling::Both(const Places& a, const Places& b) {
  Places both;
  std::ranges::set_intersection(a, b, std::inserter(both, both.end()));
  return both;
}

void Settling::MarkTorn(std::vector<AnomalyRow>& anomalies, const Places& always) {
  for (AnomalyRow& anomaly : anomalies) {
    if (!MayBeTorn(anomaly) || always.contains(PlaceOf(anomaly))) continue;
    anomaly.detail = fmt::format("perhaps only since the machine ran while it was read: {}: {}",
                                 anomaly.kind, anomaly.detail);
    anomaly.kind = kTorn;
  }
}

}  // namespace ktstr

// Walks of a machine that ran while its memory was read. A structure that changes between two
// reads looks damaged, as a list does of which one node is of before and the next of after.
#pragma once

#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "replay/machine.h"

namespace ktstr {

// What an anomaly is called that may come of that alone.
inline constexpr char kTorn[] = "torn";

class Settling {
 public:
  explicit Settling(Machine& machine)
      : runs_(machine.runs()), ran_(machine.metadata().ran_while_read) {}
  Settling() = default;  // of one that stood still

  // Whether the machine runs while it is walked.
  bool runs() const { return runs_; }

  // What `walk` gives. Of a machine that runs a walk with anomalies is done again, up to three
  // times in all, and the one with the fewest is taken; an anomaly that each of them met at the
  // same place is one, every other is torn. Of one that ran, all are torn that may be.
  template <typename Walk>
  std::invoke_result_t<Walk> operator()(const GuestKernel& kernel, Walk walk) const {
    if (runs_) kernel.address_space().Flush();
    auto best = walk();
    if (!ran_) return best;
    Places always = runs_ ? PlacesIn(best) : Places();
    constexpr int kMostWalks = 3;
    for (int walks = 1; runs_ && walks < kMostWalks && Stumbles(best) > 0; ++walks) {
      kernel.address_space().Flush();
      auto next = walk();
      always = Both(always, PlacesIn(next));
      if (Stumbles(next) < Stumbles(best)) best = std::move(next);
    }
    if (auto* anomalies = AnomaliesOf(best)) MarkTorn(*anomalies, always);
    return best;
  }

  // What a walk says that could not even begin, in an archive of a machine that ran.
  void MarkUnbegun(std::vector<AnomalyRow>& anomalies) const {
    if (ran_ && !runs_) MarkTorn(anomalies, {});
  }

 private:
  // Kind, address and, where there is none, what was said.
  using Places = std::set<std::tuple<std::string, uint64_t, std::string>>;

  template <typename Walked>
  static std::vector<AnomalyRow>* AnomaliesOf(Result<Walked>& walked) {
    return walked ? &walked->anomalies : nullptr;
  }
  template <typename Walked>
  static std::vector<AnomalyRow>* AnomaliesOf(Walked& walked) {
    return &walked.anomalies;
  }
  // So much is wrong with it; one that did not even begin is worst.
  template <typename Walked>
  static size_t Stumbles(Walked& walked) {
    const auto* anomalies = AnomaliesOf(walked);
    return anomalies == nullptr ? SIZE_MAX : CountOfTearable(*anomalies);
  }
  template <typename Walked>
  static Places PlacesIn(Walked& walked) {
    const auto* anomalies = AnomaliesOf(walked);
    return anomalies == nullptr ? Places() : PlacesOf(*anomalies);
  }
  static Places PlacesOf(const std::vector<AnomalyRow>& anomalies);
  static Places Both(const Places& a, const Places& b);
  static void MarkTorn(std::vector<AnomalyRow>& anomalies, const Places& always);

  bool runs_ = false, ran_ = false;
};

}  // namespace ktstr

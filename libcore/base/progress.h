// How far work is that takes long: for whoever shows it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

namespace ktstr {

// Called now and then, from one thread, with growing `done` of `all`, in whatever unit.
using Progress = std::function<void(uint64_t done, uint64_t all)>;

// Steps of known weights.
class ProgressSteps {
 public:
  // `progress` may be empty.
  ProgressSteps(const Progress& progress, uint64_t all) : progress_(progress), all_(all) {}

  // No more than all is ever done: work may have to be done again.
  void Done(uint64_t weight) {
    done_ = std::min(done_ + weight, all_);
    if (progress_) progress_(done_, all_);
  }

 private:
  const Progress& progress_;
  uint64_t all_;
  uint64_t done_ = 0;
};

}  // namespace ktstr

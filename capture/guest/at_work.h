// Tells the host now and then that the answer to its request is still being worked on.
#pragma once

#include <nlohmann/json.hpp>

#include "host_port.h"
#include "worker.h"

namespace ktstr::guest {

class AtWork {
 public:
  // `id` is the request's.
  AtWork(HostPort& port, nlohmann::json id) : port_(port), id_(std::move(id)), told_ns_(NowNs()) {}

  // To be called as often as is convenient.
  void Tell() {
    constexpr uint64_t kEveryNs = 1'000'000'000;
    const uint64_t now = NowNs();
    if (now - told_ns_ < kEveryNs) return;
    told_ns_ = now;
    port_.Send({{"id", id_}, {"busy", true}});
  }

 private:
  HostPort& port_;
  nlohmann::json id_;
  uint64_t told_ns_;
};

}  // namespace ktstr::guest

// Requests and replies of every kind, for the tests of codecs.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "libcore/ops/request.h"

namespace ktstr {

// The last one has everything.
inline std::vector<OpRequest> SampleRequests() {
  constexpr uint32_t kMax32 = std::numeric_limits<uint32_t>::max();
  constexpr uint64_t kMax64 = std::numeric_limits<uint64_t>::max();
  const BytesValue bytes{{std::byte(0), std::byte(0x7f), std::byte(0xff)}};
  OpRequest all = {.request_id = kMax32,
                   .mode = OpMode::kHot,
                   .direction = OpDirection::kWrite,
                   .tag = "t\u00e4g \"quoted\" \U0001f980"};
  const std::vector<OpTarget> targets = {SymbolTarget{"jiffies"}, DirectTarget{Kva(kMax64)},
                                         KvaTarget{Kva(0)},
                                         PerCpuFieldTarget{"runqueues", "cfs.nr_running", kMax32},
                                         TaskFieldTarget{kMax32, kMax64, "scx.dsq_vtime"}};
  const std::vector<OpValue> values = {U32Value{kMax32}, U64Value{kMax64}, bytes,
                                       BytesValue{},     BytesWidth{16},   OrU32Value{kMax32}};
  for (const OpTarget& target : targets) {
    for (const OpValue& value : values) {
      all.entries.push_back({target, value, all.entries.size() % 2 == 1});
    }
  }
  OpRequest long_texts;
  long_texts.tag = std::string(kOpTagMax, 'x');
  long_texts.entries = {{SymbolTarget{std::string(kOpNameMax, 'y')}, U32Value{}}};
  return {OpRequest(), long_texts, all};
}

inline std::vector<OpReply> SampleReplies() {
  return {OpReply(),
          {.request_id = 9, .success = false, .reason = "entry[0]: \u2026"},
          {.request_id = 9,
           .reason = "entry[3]: \u2026",
           .error = OpReplyError{3, OpErrorCode::kTaskRecycled, OpLayer::kL8}},
          {.request_id = 1,
           .success = true,
           .read_values = {U32Value{1}, U64Value{2}, BytesValue{{std::byte(3)}}, BytesValue{}}}};
}

}  // namespace ktstr

// Results in JUnit's XML, as CI systems read it.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "libcore/results/case_result.h"

namespace ktstr {

// One <testsuite>; times in seconds. Control characters, which XML cannot hold, are shown as
// SafeText shows them. It is told of one case at a time, and keeps nothing of it but its XML.
class JunitSuite {
 public:
  void Add(const CaseResult& result);
  // The document; `name` is the suite's.
  std::string Text(const std::string& name) const;

 private:
  std::string cases_;
  size_t tests_ = 0, failures_ = 0, errors_ = 0, skipped_ = 0;
  std::chrono::milliseconds time_{};
};

// The document with all of these.
std::string ToJunit(const std::string& suite, const std::vector<CaseResult>& cases);

}  // namespace ktstr

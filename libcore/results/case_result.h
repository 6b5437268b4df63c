// What became of one test or rule, in the form that CI systems take.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ktstr {

struct CaseResult {
  enum class Outcome : uint8_t {
    kPassed,
    kFailed,   // the answer was not the wanted one
    kError,    // there was no answer
    kSkipped,  // the question does not arise
  };

  std::string group;  // what it belongs to: JUnit's classname
  std::string name;
  Outcome outcome = Outcome::kPassed;
  std::string type;     // what kind of failure, in a word
  std::string message;  // what was wrong; several lines are allowed
  std::string output;   // what else is to be kept with it
  std::chrono::milliseconds duration{};
};

}  // namespace ktstr

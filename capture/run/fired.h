// A trigger that struck.
#pragma once

#include <map>
#include <string>

#include "ktstr/scenario/trigger_spec.h"

namespace ktstr {

struct Fired {
  std::string
      trigger;  // its name in the catalog; "expectation", "interrupt", "scheduler-load" besides
  std::string detail;  // one line for people: what was seen and what the limit was
  std::map<std::string, std::string> values;  // the same for programs, by name
  bool fails = true;
  int most = 1;  // captures of it in one test, when it does not fail
};

// One of the scenario's, with its settings.
inline Fired FiredBy(const TriggerSpec& spec, std::string detail,
                     std::map<std::string, std::string> values = {}) {
  return {std::string(EntryOf(spec.kind).name), std::move(detail), std::move(values), spec.fails,
          spec.most};
}

}  // namespace ktstr

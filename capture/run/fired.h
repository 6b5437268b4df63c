// A trigger that struck.
#pragma once

#include <map>
#include <string>

#include "capture/scenario/trigger_spec.h"

namespace ktstr {

struct Fired {
  std::string
      trigger;  // its name in the catalog; "expectation", "interrupt", "scheduler-load" besides
  std::string detail;  // one line for people: what was seen and what the limit was
  std::map<std::string, std::string> values;  // the same for programs, by name
  bool fails = true;
  int most = 1;            // captures of it in one test, when it does not fail
  std::string which = "";  // tells it from others of the same name
};

// One of the scenario's, with its settings.
inline Fired FiredBy(const TriggerSpec& spec, std::string detail,
                     std::map<std::string, std::string> values = {}) {
  return {.trigger = std::string(EntryOf(spec.kind).name),
          .detail = std::move(detail),
          .values = std::move(values),
          .fails = spec.fails,
          .most = spec.most,
          .which = spec.symbol + " " + spec.worker + " " + spec.phase + " " +
                   std::to_string(spec.over.count())};
}

}  // namespace ktstr

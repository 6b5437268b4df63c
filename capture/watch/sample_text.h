// A sample for people.
#pragma once

#include <string>
#include <vector>

#include "capture/watch/sample.h"

namespace ktstr {

// Lines without their newlines: the guest, sched_ext, its queues, a heading, and one line per CPU.
// What is torn begins with "~", what is unknown is "?". `max_width` is in columns; 0: as wide as
// need be.
std::vector<std::string> ToLines(const WatchSample& sample, size_t max_width = 0);

}  // namespace ktstr

// A sample for programs.
#pragma once

#include <string>

#include "capture/watch/sample.h"

namespace ktstr {

// One line of JSON without its newline. Unknown is null; bytes of the guest's names that are no
// UTF-8 are replaced.
std::string ToJsonLine(const WatchSample& sample);

}  // namespace ktstr

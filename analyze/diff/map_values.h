// Values of BPF maps that changed, member by member.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "analyze/diff/difference.h"

namespace ktstr {

// Takes the changes of whole values (JSON as text) apart: a structure's become one of each member
// that differs, named by its path. Integers get how far and, when `elapsed_ns` (not 0) is known,
// how fast they moved. What is no JSON, and what appeared or is gone, stays as it is.
std::vector<Difference> ByMember(std::vector<Difference> values, std::optional<int64_t> elapsed_ns);

}  // namespace ktstr

// A structure member by member.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/value/typed_value.h"

namespace ktstr {

struct StructRow {
  std::string member;  // a path: "se.load.weight"
  std::string type;
  int64_t offset = 0;  // from the structure's begin, in bytes
  int64_t size = 0;    // in bytes; of a bit field: of its storage
  Value value;

  friend bool operator==(const StructRow&, const StructRow&) = default;
};

// The members of the structure at `place`, those of structures in it in their stead, in the order
// of their declaration; arrays are one row each. A member that cannot be read has no value and is
// an anomaly. Ends with an anomaly "cap" after limits.max_nodes rows. Errors: kInvalidArgument
// when it is no structure.
Result<Walked<StructRow>> ReadStructRows(const GuestKernel& kernel, const TypeInfo& types,
                                         const TypedPlace& place,
                                         const WalkLimits& limits = {.max_nodes = 20'000});

}  // namespace ktstr

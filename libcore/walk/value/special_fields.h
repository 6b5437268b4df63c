// SpecialFields: what values of some types mean beyond their members, such as the timers and lists
// in values of BPF maps, which their own types call "opaque".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/image/type_info.h"

namespace ktstr {

// A value somewhere in memory.
struct SpecialPlace {
  const TypeInfo& types;
  TypeId type;
  Kva kva;
  std::span<const std::string_view> tags;  // of its declaration: "contains:node:links"
};

// Something that is known of a value.
struct ValueFact {
  std::string_view name;  // lives for ever
  std::string json;
};

class SpecialFields {
 public:
  virtual ~SpecialFields() = default;
  // What is to be shown in place of the value's members, in order; nothing for a value that is what
  // its members say.
  virtual std::optional<std::vector<ValueFact>> FactsOf(const SpecialPlace& place) = 0;
};

}  // namespace ktstr

// The global variables of a BPF object, by name: where they are and what they hold, out of the
// object's BTF.
#pragma once

#include <bpf/btf.h>

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ktstr::guest {

struct Variable {
  std::string name;     // as in the source, or VARIABLE.MEMBER
  std::string section;  // such as ".bss"
  uint32_t offset;      // in bytes from the section's begin
  uint32_t size;        // in bytes
  uint32_t type;        // in the object's BTF
};

// All global variables of .data, .bss, .rodata and .struct_ops.
std::vector<Variable> ListVariables(const btf* types);

// "stall", "vtime_ops.timeout_ms". "" or what went wrong, which names the nearest variables when
// there is none of that name.
std::string FindVariable(const btf* types, const std::string& path, Variable* found);

// Writes `value` where a variable's bytes are: numbers and booleans for integers, strings for
// arrays of char (the rest becomes zero), arrays for arrays (elements that are not given stay). ""
// or what went wrong; `bytes` is then unchanged.
std::string StoreValue(const btf* types, const Variable& variable, const nlohmann::json& value,
                       std::byte* bytes);

// The same the other way round; null for what is none of these.
nlohmann::json LoadValue(const btf* types, uint32_t type, const std::byte* bytes);

}  // namespace ktstr::guest

// Typed memory as cells and JSON: what stands at an address, by what BTF says it is.
#pragma once

#include <string>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/image/type_info.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/row.h"
#include "libcore/walk/value/special_fields.h"
#include "libcore/walk/value/value_path.h"

namespace ktstr {

// No object of a kernel that anybody wants whole is longer, in bytes.
inline constexpr uint64_t kMaxObjectSize = 1 << 20;

// An unsigned number as a cell: an integer, or from 2^63 on text "0x…" (which in SQL is greater
// than every integer, as it should be).
Value UnsignedValue(uint64_t value);

// The bytes of a value. Errors: kUnsupported for more than kMaxObjectSize, and those of reading.
Result<std::vector<std::byte>> ReadObject(const GuestKernel& kernel, const TypedPlace& place);

// A value as a cell: integers and bit fields as numbers (booleans 0 and 1), enums by name where the
// value has one, pointers as "0x…", character arrays as text up to their NUL; structures, unions
// and other arrays as JSON (value_json.h), in which what `special` knows more of (null: nothing) is
// an object of its facts. Errors: kUnsupported for what has no value (void, a function) or is
// longer than kMaxObjectSize, and those of reading.
Result<Value> ReadValue(const GuestKernel& kernel, const TypeInfo& types, const TypedPlace& place,
                        SpecialFields* special = nullptr);

// A value of any type as JSON. Errors: as ReadValue.
Result<std::string> ReadJson(const GuestKernel& kernel, const TypeInfo& types,
                             const TypedPlace& place, SpecialFields* special = nullptr);

}  // namespace ktstr

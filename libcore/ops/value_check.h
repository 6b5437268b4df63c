// Which kinds of value a target takes in which direction, and how wide they are: checks that need
// nothing but the request.
#pragma once

#include <cstdint>

#include "libcore/ops/op_error.h"
#include "libcore/ops/request.h"

namespace ktstr {

// How many bytes of memory the value covers.
uint64_t WidthOf(const OpValue& value);

// Reads take U32, U64 and (not of fields) Bytes; OrU32 is no width. Writes take U32, U64, OrU32
// (not of a TaskField) and (not of fields) Bytes that have bytes. Errors: kValueKind,
// kUncheckedWrite.
OpStatus CheckValue(OpDirection direction, const OpEntry& entry);

}  // namespace ktstr

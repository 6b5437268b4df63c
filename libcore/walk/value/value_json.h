// Values of any type as JSON: what BTF says a run of bytes is.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "libcore/image/type_info.h"
#include "libcore/walk/value/special_fields.h"

namespace ktstr {

// Structures are objects, arrays are arrays, character arrays that hold text are strings, pointers
// are strings "0x…", enums are their names where they have one, booleans are true and false.
// Members of anonymous structures stand beside the others. Bytes that are missing (the type is
// longer than `bytes`) are null, and so is what begins beyond 64 MiB of text; no
// more than a million structures are looked into. Without a type (void,
// or one of no size) the bytes are one string of hexadecimal digits.
std::string ToJson(const TypeInfo& types, TypeId type, std::span<const std::byte> bytes);
// The same of bytes that stand at `place`, whose type and tags count: what `special` knows more of
// is an object of its facts.
std::string ToJson(const SpecialPlace& place, std::span<const std::byte> bytes,
                   SpecialFields& special);
// "0a1b…", quoted.
std::string BytesToJson(std::span<const std::byte> bytes);
// A string, quoted and escaped; what is not UTF-8 is replaced.
std::string TextToJson(std::string_view text);

}  // namespace ktstr

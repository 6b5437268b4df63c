// field, field_address, struct_json, offset_of, size_of: memory by the kernel's types and by those
// of BPF programs and modules.
#include <fmt/format.h>

#include "analyze/memory_sql/functions.h"
#include "libcore/walk/value/typed_value.h"
#include "libcore/walk/value/value_path.h"

namespace ktstr {

namespace {

// The place of (type, addr[, path]), and the types that it is of.
struct FoundPlace {
  TypedPlace place;
  const TypeInfo* types;
  SpecialFields* special;
};
Result<FoundPlace> PlaceOf(MemorySource& memory, SqlArguments arguments) {
  const std::string name = KTSTR_TRY(TextArgument(arguments[0], "type"));
  const Kva kva = KTSTR_TRY(KvaArgument(arguments[1], "addr"));
  const std::string path =
      arguments.size() < 3 ? "" : KTSTR_TRY(TextArgument(arguments[2], "path"));
  const NamedType type = KTSTR_TRY(memory.FindType(name));
  return FoundPlace{KTSTR_TRY(FindPlace(*KTSTR_TRY(memory.Kernel()), *type.types, type.id, kva,
                                        path, type.pointers)),
                    type.types, type.special};
}

Result<Value> Field(MemorySource& memory, SqlArguments arguments) {
  const FoundPlace found = KTSTR_TRY(PlaceOf(memory, arguments));
  return ReadValue(*KTSTR_TRY(memory.Kernel()), *found.types, found.place, found.special);
}

Result<Value> FieldAddress(MemorySource& memory, SqlArguments arguments) {
  const TypedPlace place = KTSTR_TRY(PlaceOf(memory, arguments)).place;
  if (place.member.is_bit_field()) {
    return Fail(ErrorCode::kInvalidArgument, "a bit field has no address");
  }
  return Value(ToText(Hex(place.kva())));
}

Result<Value> StructJson(MemorySource& memory, SqlArguments arguments) {
  const FoundPlace found = KTSTR_TRY(PlaceOf(memory, arguments));
  return Value(
      KTSTR_TRY(ReadJson(*KTSTR_TRY(memory.Kernel()), *found.types, found.place, found.special)));
}

Result<Value> OffsetOf(MemorySource& memory, SqlArguments arguments) {
  const std::string name = KTSTR_TRY(TextArgument(arguments[0], "type"));
  const std::string path = KTSTR_TRY(TextArgument(arguments[1], "path"));
  const NamedType type = KTSTR_TRY(memory.FindType(name));
  return Value(static_cast<int64_t>(KTSTR_TRY(FindOffset(*type.types, type.id, path))));
}

Result<Value> SizeOf(MemorySource& memory, SqlArguments arguments) {
  const std::string name = KTSTR_TRY(TextArgument(arguments[0], "type"));
  const NamedType type = KTSTR_TRY(memory.FindType(name));
  return Value(static_cast<int64_t>(KTSTR_TRY(type.types->SizeOf(type.id))));
}

}  // namespace

std::vector<ScalarFunction> TypeFunctions() {
  return {
      {"field",
       {"type", "addr", "path"},
       0,
       "A member of the structure of that type at addr. In the path '.' enters a structure, '->' "
       "follows a pointer, '[n]' takes an element. Enums are names, pointers text '0x…', character "
       "arrays text; structures and other arrays are JSON. A type 'task_ctx@NAME' is of those that "
       "the BPF program, BPF map or module of that name came with.",
       Field},
      {"field_address", {"type", "addr", "path"}, 0, "Where that member stands.", FieldAddress},
      {"struct_json", {"type", "addr"}, 0, "The whole structure as JSON.", StructJson},
      {"offset_of",
       {"type", "path"},
       0,
       "How far a member is from its structure's begin, in bytes.",
       OffsetOf},
      {"size_of", {"type"}, 0, "A type's size, in bytes.", SizeOf},
  };
}

}  // namespace ktstr

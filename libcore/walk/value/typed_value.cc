#include "libcore/walk/value/typed_value.h"

#include <fmt/format.h>

#include <cstring>

#include "libcore/image/type_text.h"
#include "libcore/kernel/object_reader.h"
#include "libcore/walk/value/value_json.h"

namespace ktstr {

namespace {

Result<Value> IntegerValue(ObjectReader& object, const TypeInfo& types, const Member& member) {
  if (member.size > sizeof(uint64_t)) {
    std::array<uint64_t, 2> halves;
    if (member.size != sizeof halves) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("an integer of {} bytes has no value", member.size));
    }
    KTSTR_TRY(object.Read(member.offset, std::as_writable_bytes(std::span(halves))));
    return Value(fmt::format("0x{:016x}{:016x}", halves[1], halves[0]));
  }
  const int64_t value = KTSTR_TRY(object.Integer(member));
  const bool is_signed = member.is_signed || types.StyleOf(member.type) == IntegerStyle::kBoolean;
  return is_signed ? Value(value) : UnsignedValue(static_cast<uint64_t>(value));
}

Result<Value> EnumValue(ObjectReader& object, const TypeInfo& types, const Member& member) {
  const int64_t value = KTSTR_TRY(object.Integer(member));
  for (const Enumerator& enumerator : types.EnumeratorsOf(member.type)) {
    if (enumerator.value == value) return Value(std::string(enumerator.name));
  }
  return Value(value);
}

Result<Value> FloatValue(ObjectReader& object, const Member& member) {
  if (member.size == sizeof(float)) {
    return Value(static_cast<double>(KTSTR_TRY(object.ReadAt<float>(member.offset))));
  }
  if (member.size == sizeof(double)) {
    return Value(KTSTR_TRY(object.ReadAt<double>(member.offset)));
  }
  return Fail(ErrorCode::kUnsupported, fmt::format("a float of {} bytes", member.size));
}

}  // namespace

Value UnsignedValue(uint64_t value) {
  return value > INT64_MAX ? Value(ToText(Hex(value))) : Value(static_cast<int64_t>(value));
}

Result<std::vector<std::byte>> ReadObject(const GuestKernel& kernel, const TypedPlace& place) {
  if (place.member.size > kMaxObjectSize) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the value at {:#x} is {} bytes long; at most {} are read at once",
                            place.kva().value(), place.member.size, kMaxObjectSize));
  }
  std::vector<std::byte> bytes(place.member.size);
  KTSTR_TRY(kernel.Read(place.kva(), bytes));
  return bytes;
}

Result<std::string> ReadJson(const GuestKernel& kernel, const TypeInfo& types,
                             const TypedPlace& place, SpecialFields* special) {
  const std::vector<std::byte> bytes = KTSTR_TRY(ReadObject(kernel, place));
  if (special == nullptr) return ToJson(types, place.member.type, bytes);
  return ToJson({types, place.member.type, place.kva(), {}}, bytes, *special);
}

Result<Value> ReadValue(const GuestKernel& kernel, const TypeInfo& types, const TypedPlace& place,
                        SpecialFields* special) {
  ObjectReader object(kernel, place.base);
  const Member& member = place.member;
  switch (member.kind) {
    case TypeKind::kInteger:
      return IntegerValue(object, types, member);
    case TypeKind::kEnum:
      return EnumValue(object, types, member);
    case TypeKind::kFloat:
      return FloatValue(object, member);
    case TypeKind::kPointer:
      return Value(ToText(Hex(KTSTR_TRY(object.Unsigned(member)))));
    case TypeKind::kArray:
      if (types.StyleOf(types.Target(member.type)) == IntegerStyle::kCharacter) {
        if (member.size <= kMaxObjectSize) return Value(KTSTR_TRY(object.Text(member)));
      }
      return Value(KTSTR_TRY(ReadJson(kernel, types, place, special)));
    case TypeKind::kStruct:
    case TypeKind::kUnion:
      return Value(KTSTR_TRY(ReadJson(kernel, types, place, special)));
    case TypeKind::kVoid:
    case TypeKind::kFunction:
    case TypeKind::kOther:
      break;
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("what is at {:#x} is of type {} and has no value", place.kva().value(),
                          TypeText(types, member.type)));
}

}  // namespace ktstr

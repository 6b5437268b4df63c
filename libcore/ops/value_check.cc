#include "libcore/ops/value_check.h"

#include <fmt/format.h>

namespace ktstr {

namespace {

struct Width {
  uint64_t operator()(const U32Value&) const { return sizeof(uint32_t); }
  uint64_t operator()(const U64Value&) const { return sizeof(uint64_t); }
  uint64_t operator()(const BytesValue& v) const { return v.bytes.size(); }
  uint64_t operator()(const BytesWidth& v) const { return v.size; }
  uint64_t operator()(const OrU32Value&) const { return sizeof(uint32_t); }
};

tl::unexpected<OpError> WrongKind(std::string text) {
  return Refuse(OpErrorCode::kValueKind, OpLayer::kRequest, std::move(text));
}

bool IsBytes(const OpValue& value) {
  return std::holds_alternative<BytesValue>(value) || std::holds_alternative<BytesWidth>(value);
}

OpStatus CheckRead(const OpValue& value) {
  if (const auto* mask = std::get_if<OrU32Value>(&value)) {
    return WrongKind(
        fmt::format("OrU32 with mask {:#x} is a write, not the width of a read; ask "
                    "for a U32",
                    mask->mask));
  }
  return {};
}

OpStatus CheckWrite(const OpEntry& entry) {
  if (entry.unchecked) {
    return Refuse(OpErrorCode::kUncheckedWrite, OpLayer::kRequest,
                  "'unchecked' is for reads: a write is always checked");
  }
  if (const auto* width = std::get_if<BytesWidth>(&entry.value)) {
    return WrongKind(fmt::format("a write of {} bytes without the bytes", width->size));
  }
  const bool is_task = std::holds_alternative<TaskFieldTarget>(entry.target);
  if (is_task && std::holds_alternative<OrU32Value>(entry.value)) {
    return WrongKind("OrU32 is not for a task's fields; write a U32 or U64");
  }
  return {};
}

}  // namespace

uint64_t WidthOf(const OpValue& value) { return std::visit(Width(), value); }

OpStatus CheckValue(OpDirection direction, const OpEntry& entry) {
  const bool is_field = std::holds_alternative<PerCpuFieldTarget>(entry.target) ||
                        std::holds_alternative<TaskFieldTarget>(entry.target);
  if (is_field && IsBytes(entry.value)) {
    return WrongKind("Bytes are not for fields, which are scalars; use U32 or U64");
  }
  return direction == OpDirection::kRead ? CheckRead(entry.value) : CheckWrite(entry);
}

}  // namespace ktstr

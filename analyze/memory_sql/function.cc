#include "analyze/memory_sql/function.h"

#include <fmt/format.h>

namespace ktstr {

Result<Kva> KvaArgument(const Value& argument, std::string_view parameter) {
  if (const auto* integer = std::get_if<int64_t>(&argument)) {
    return Kva(static_cast<uint64_t>(*integer));
  }
  if (const auto* text = std::get_if<std::string>(&argument)) {
    if (const auto kva = ParseKva(*text)) return *kva;
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: '{}' is no address: give an integer or text '0x…'", parameter, *text));
  }
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: a fraction is no address", parameter));
}

Result<uint64_t> CountArgument(const Value& argument, std::string_view parameter, uint64_t max) {
  const auto* integer = std::get_if<int64_t>(&argument);
  if (integer == nullptr || *integer < 0 || static_cast<uint64_t>(*integer) > max) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: not an integer from 0 to {}", parameter, max));
  }
  return static_cast<uint64_t>(*integer);
}

Result<std::string> TextArgument(const Value& argument, std::string_view parameter) {
  const auto* text = std::get_if<std::string>(&argument);
  if (text == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: not text", parameter));
  }
  return *text;
}

}  // namespace ktstr

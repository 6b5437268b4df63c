#include "capture/qemu/json_value.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace ktstr {

using nlohmann::json;

JsonValue::JsonValue() = default;
JsonValue::JsonValue(const JsonValue& other) : JsonValue(*other) {}
JsonValue::JsonValue(JsonValue&& other) noexcept = default;
JsonValue& JsonValue::operator=(JsonValue other) noexcept {
  value_ = std::move(other.value_);
  return *this;
}
JsonValue::~JsonValue() = default;

std::unique_ptr<json> JsonValue::Box(json&& value) {
  return std::make_unique<json>(std::move(value));
}

JsonValue JsonValue::EmptyObject() { return json::object(); }

json& JsonValue::operator*() {
  if (value_ == nullptr) value_ = std::make_unique<json>();
  return *value_;
}

const json& JsonValue::operator*() const {
  static const json null;
  return value_ == nullptr ? null : *value_;
}

bool operator==(const JsonValue& a, const JsonValue& b) { return *a == *b; }

}  // namespace ktstr

// A value of JSON in headers that are read by many who never look into it: holds a nlohmann::json
// and needs its declaration only.
#pragma once

#include <concepts>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <utility>

namespace ktstr {

class JsonValue {
 public:
  JsonValue();  // null
  // From a nlohmann::json alone: of braces it would make an array where one meant an object.
  template <std::same_as<nlohmann::json> Json>
  JsonValue(Json value) : value_(Box(std::move(value))) {}  // NOLINT: one is as good as the other
  JsonValue(const JsonValue& other);
  JsonValue(JsonValue&& other) noexcept;  // the other becomes null
  JsonValue& operator=(JsonValue other) noexcept;
  ~JsonValue();

  static JsonValue EmptyObject();

  nlohmann::json& operator*();
  const nlohmann::json& operator*() const;
  nlohmann::json* operator->() { return &**this; }
  const nlohmann::json* operator->() const { return &**this; }

  friend bool operator==(const JsonValue& a, const JsonValue& b);

 private:
  static std::unique_ptr<nlohmann::json> Box(nlohmann::json&& value);

  std::unique_ptr<nlohmann::json> value_;  // nullptr: null
};

}  // namespace ktstr

// Bytes of a message, put together and taken apart: integers little-endian, texts and byte strings
// with their lengths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

class PayloadWriter {
 public:
  template <typename T>
  void Put(T value) {
    static_assert(std::is_unsigned_v<T>);
    for (size_t i = 0; i < sizeof(T); ++i) bytes_.push_back(std::byte(value >> (8 * i)));
  }
  void PutBytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  // A text of at most `max` bytes; a longer one, or one that is no UTF-8, is an error of status().
  void PutText(std::string_view text, size_t max);
  // The same, but what is too long is cut between two characters.
  void PutCutText(std::string_view text, size_t max);

  // kInvalidArgument once something could not be put.
  const Status& status() const { return status_; }
  std::vector<std::byte> Take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
  Status status_;
};

// Reads on until something is wrong; from then on everything is 0 or empty.
class PayloadReader {
 public:
  explicit PayloadReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <typename T>
  T Get() {
    static_assert(std::is_unsigned_v<T>);
    const auto bytes = Cut(sizeof(T));
    T value = 0;
    for (size_t i = 0; i < bytes.size(); ++i) value |= static_cast<T>(T(bytes[i]) << (8 * i));
    return value;
  }
  std::vector<std::byte> GetBytes(size_t size) {
    const auto bytes = Cut(size);
    return {bytes.begin(), bytes.end()};
  }
  std::string GetText(size_t max);

  // Says that what was read cannot be. The first word counts.
  void Refuse(std::string what);
  bool ok() const { return wrong_.empty(); }
  size_t left() const { return rest_.size(); }
  // kDamaged when anything was wrong, or bytes are left.
  Status Finish();

 private:
  // The next `size` bytes; none when there are fewer.
  std::span<const std::byte> Cut(size_t size);

  std::span<const std::byte> rest_;
  std::string wrong_;
};

}  // namespace ktstr

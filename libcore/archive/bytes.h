// Little-endian numbers and varints to and from bytes. The reading side never reads beyond its
// bytes: it turns "not ok" instead, and stays so.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ktstr::archive {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they are");

inline std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Of a number as a varint, in bytes.
constexpr size_t VarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

// Signed numbers as unsigned ones that are small when those are near 0 (svarint).
constexpr uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

class ByteSink {
 public:
  template <typename T>
  void Put(T value) {
    static_assert(std::is_unsigned_v<T>);
    PutBytes(std::as_bytes(std::span<const T, 1>(&value, 1)));
  }
  void PutVarint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) Put<uint8_t>(static_cast<uint8_t>(value | 0x80));
    Put<uint8_t>(static_cast<uint8_t>(value));
  }
  void PutBytes(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    const size_t begin = bytes_.size();
    bytes_.resize(begin + bytes.size());
    std::memcpy(bytes_.data() + begin, bytes.data(), bytes.size());
  }
  void PutText(std::string_view text) { PutBytes(std::as_bytes(std::span(text))); }

  void Reserve(size_t size) { bytes_.reserve(size); }
  size_t size() const { return bytes_.size(); }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::vector<std::byte> Take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

class ByteSource {
 public:
  explicit ByteSource(std::span<const std::byte> bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // False once anything was asked for that is not there; what was answered then is 0.
  bool ok() const { return ok_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  template <typename T>
  T Get() {
    static_assert(std::is_unsigned_v<T>);
    T value = 0;
    if (left() < sizeof(T)) {
      Stop();
    } else {
      std::memcpy(&value, at_, sizeof(T));
      at_ += sizeof(T);
    }
    return value;
  }

  uint64_t GetVarint() {
    if (at_ != end_ && std::to_integer<uint8_t>(*at_) < 0x80) [[likely]] {
      return std::to_integer<uint8_t>(*at_++);
    }
    return GetLongVarint();
  }

  // The next `size` bytes; empty when there are not so many.
  std::span<const std::byte> GetBytes(size_t size) {
    if (left() < size) {
      Stop();
      return {};
    }
    const std::span<const std::byte> bytes(at_, size);
    at_ += size;
    return bytes;
  }

 private:
  void Stop() {
    ok_ = false;
    at_ = end_;
  }

  uint64_t GetLongVarint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) break;
      const uint64_t byte = std::to_integer<uint8_t>(*at_++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        const bool overlong = byte == 0 && shift > 0;
        const bool overflow = shift == 63 && byte > 1;
        if (overlong || overflow) break;
        return value;
      }
    }
    Stop();
    return 0;
  }

  const std::byte* at_;
  const std::byte* end_;
  bool ok_ = true;
};

}  // namespace ktstr::archive

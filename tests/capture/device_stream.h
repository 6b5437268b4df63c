// Builds device states of QEMU's form for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ktstr {

// Big-endian numbers, one after the other.
class ContentsBuilder {
 public:
  ContentsBuilder& Add(uint64_t value, int size = 8) {
    for (int i = size - 1; i >= 0; --i) bytes_.push_back(std::byte(value >> (8 * i)));
    return *this;
  }
  ContentsBuilder& Text(std::string_view text) {
    for (const char c : text) bytes_.push_back(std::byte(c));
    return *this;
  }
  ContentsBuilder& Bytes(const std::vector<std::byte>& bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  ContentsBuilder& Zeros(size_t size) {
    bytes_.resize(bytes_.size() + size);
    return *this;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

class DeviceStream {
 public:
  DeviceStream() { stream_.Text("QEVM").Add(3, 4); }

  DeviceStream& Device(const std::string& name, uint32_t instance, uint32_t version,
                       const ContentsBuilder& contents) {
    const uint32_t number = next_number_++;
    Section(number, name, instance, version);
    stream_.Bytes(contents.bytes()).Add(0x7e, 1).Add(number, 4);
    return *this;
  }
  // The beginning of a section that has that number.
  DeviceStream& Section(uint32_t number, const std::string& name, uint32_t instance,
                        uint32_t version) {
    stream_.Add(0x04, 1).Add(number, 4).Add(name.size(), 1).Text(name);
    stream_.Add(instance, 4).Add(version, 4);
    return *this;
  }

  std::vector<std::byte> Finish() const {
    ContentsBuilder whole = stream_;
    return whole.Add(0x00, 1).bytes();
  }

 private:
  ContentsBuilder stream_;
  uint32_t next_number_ = 2;
};

}  // namespace ktstr

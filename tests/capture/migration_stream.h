// Builds migration streams of QEMU's form for tests: devices with named fields, and the description
// at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ktstr {

// The fields of a device or structure, in order: their bytes and their description.
class FieldsBuilder {
 public:
  FieldsBuilder& Integer(std::string name, uint64_t value, int size = 8) {
    Append(value, size);
    fields_.push_back({{"name", name}, {"type", "uint"}, {"size", size}});
    return *this;
  }
  FieldsBuilder& Array(std::string name, const std::vector<uint64_t>& values, int size = 8) {
    for (const uint64_t value : values) Append(value, size);
    fields_.push_back(
        {{"name", name}, {"array_len", values.size()}, {"type", "uint"}, {"size", size}});
    return *this;
  }
  FieldsBuilder& Buffer(std::string name, size_t size) {
    bytes_.resize(bytes_.size() + size);
    fields_.push_back({{"name", name}, {"type", "buffer"}, {"size", size}});
    return *this;
  }
  // An array when there is more than one.
  FieldsBuilder& Struct(std::string name, const std::vector<FieldsBuilder>& elements) {
    for (const FieldsBuilder& one : elements) {
      bytes_.insert(bytes_.end(), one.bytes_.begin(), one.bytes_.end());
    }
    nlohmann::json field = {{"name", name},
                            {"type", "struct"},
                            {"struct", {{"fields", elements[0].fields_}}},
                            {"size", elements[0].bytes_.size()}};
    if (elements.size() > 1) field["array_len"] = elements.size();
    fields_.push_back(field);
    return *this;
  }
  FieldsBuilder& Subsection(std::string name, const FieldsBuilder& contents) {
    Append(0x05, 1);
    Append(name.size(), 1);
    for (const char c : name) Append(uint8_t(c), 1);
    Append(1, 4);
    bytes_.insert(bytes_.end(), contents.bytes_.begin(), contents.bytes_.end());
    subsections_.push_back({{"vmsd_name", name}, {"version", 1}, {"fields", contents.fields_}});
    return *this;
  }

  const std::vector<std::byte>& bytes() const { return bytes_; }
  nlohmann::json Description() const {
    nlohmann::json description = {{"fields", fields_}};
    if (!subsections_.empty()) description["subsections"] = subsections_;
    return description;
  }

 private:
  void Append(uint64_t value, int size) {
    for (int i = size - 1; i >= 0; --i) bytes_.push_back(std::byte(value >> (8 * i)));
  }

  std::vector<std::byte> bytes_;
  nlohmann::json fields_ = nlohmann::json::array(), subsections_ = nlohmann::json::array();
};

class MigrationStream {
 public:
  MigrationStream() {
    Text("QEVM");
    Number(3, 4);
    // Sections of RAM, which nobody needs to understand.
    Number(0x01, 1);
    Text("whatever RAM sections hold");
  }

  MigrationStream& Device(const std::string& name, uint32_t instance, const FieldsBuilder& fields) {
    const uint32_t section = next_section_++;
    Number(0x04, 1);
    Number(section, 4);
    Number(name.size(), 1);
    Text(name);
    Number(instance, 4);
    Number(1, 4);
    bytes_.insert(bytes_.end(), fields.bytes().begin(), fields.bytes().end());
    Number(0x7e, 1);
    Number(section, 4);
    nlohmann::json device = fields.Description();
    device["name"] = name;
    device["instance_id"] = instance;
    devices_.push_back(device);
    return *this;
  }

  std::vector<std::byte> Finish() const {
    return FinishWith(nlohmann::json{{"page_size", 4096}, {"devices", devices_}}.dump());
  }
  // With a description of the test's own making.
  std::vector<std::byte> FinishWith(std::string_view description) const {
    MigrationStream copy = *this;
    copy.Number(0x00, 1);
    copy.Number(0x06, 1);
    copy.Number(description.size(), 4);
    copy.Text(description);
    return copy.bytes_;
  }

 private:
  void Number(uint64_t value, int size) {
    for (int i = size - 1; i >= 0; --i) bytes_.push_back(std::byte(value >> (8 * i)));
  }
  void Text(std::string_view text) {
    for (const char c : text) bytes_.push_back(std::byte(c));
  }

  std::vector<std::byte> bytes_;
  nlohmann::json devices_ = nlohmann::json::array();
  uint32_t next_section_ = 2;
};

}  // namespace ktstr

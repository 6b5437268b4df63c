// QEMU's command line as data: its options, and the properties that an option's value is made of.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ktstr {

struct QemuOption {
  std::string name;  // without dashes; empty: a word by itself, which is a disk image
  std::optional<std::string> value = std::nullopt;

  friend bool operator==(const QemuOption&, const QemuOption&) = default;
};

struct QemuWords {
  // What is executed: the program, behind its loader and what that takes where it was started so.
  std::vector<std::string> program;
  std::vector<QemuOption> options;
};

// Takes a command line apart as QEMU does (system/vl.c, lookup_opt): options begin with one dash or
// two, and some take no value.
QemuWords SplitQemuCommand(const std::vector<std::string>& argv);

std::vector<std::string> JoinQemuCommand(const QemuWords& words);

// A value such as "memory-backend-file,id=ram,size=1G", or the same as a JSON object. Two commas in
// a value are one (QemuOpts, util/qemu-option.c).
class QemuProperties {
 public:
  // `implied` is the key of a first part without "=", such as "qom-type". A JSON object whose
  // members are not all numbers, texts and truths gives nothing.
  static std::optional<QemuProperties> Parse(std::string_view text, std::string_view implied);

  // "" when there is none.
  std::string Get(std::string_view key) const;
  bool Has(std::string_view key) const;
  void Set(std::string_view key, std::string value);
  void Erase(std::string_view key);

  // As QEMU's command line takes it.
  std::string ToText() const;

 private:
  std::string implied_;
  std::vector<std::pair<std::string, std::string>> properties_;  // in their order
};

}  // namespace ktstr

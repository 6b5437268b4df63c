// Enumerators of the kernel as text: states by name, flags as NAME|NAME.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/image/type_info.h"

namespace ktstr {

class EnumText {
 public:
  // The first of these enums that the kernel has; names are shown without `prefix`, in lower case.
  // A kernel that has none of them gets `otherwise`.
  EnumText(const TypeInfo& types, std::initializer_list<std::string_view> enums,
           std::string_view prefix,
           std::initializer_list<std::pair<std::string_view, int64_t>> otherwise = {});

  // The name of a value, or the number where it has none.
  std::string NameOf(int64_t value) const;
  // The names of the single bits that are set, joined by "|", what is left as hexadecimal number;
  // empty for 0. Bits outside `mask` are not looked at.
  std::string FlagsOf(uint64_t value, uint64_t mask = ~uint64_t{0}) const;
  // The value of a name as shown here.
  std::optional<int64_t> ValueOf(std::string_view name) const;

 private:
  struct Entry {
    std::string name;
    int64_t value;
  };
  std::vector<Entry> entries_;
};

}  // namespace ktstr

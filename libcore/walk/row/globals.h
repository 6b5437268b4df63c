// The kernel's global variables, by symbol. BTF knows no types of globals: the reader says what
// each is.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

class Globals {
 public:
  explicit Globals(const Walk& walk) : walk_(walk) {}

  // The address of the first of these symbols (they get renamed) that exists.
  std::optional<Kva> Address(std::initializer_list<std::string_view> names) const;
  // The value of a variable of type T. Nothing when no such symbol exists; one that cannot be read
  // is an anomaly, too.
  template <typename T>
  std::optional<T> Read(std::initializer_list<std::string_view> names) const {
    const auto kva = Address(names);
    return kva ? ReadAt<T>(*kva, *names.begin()) : std::nullopt;
  }
  template <typename T>
  std::optional<T> ReadAt(Kva kva, std::string_view what) const {
    const auto value = walk_.kernel.Read<T>(kva);
    if (value) return *value;
    walk_.anomalies.Add(value.error(), kva, what);
    return std::nullopt;
  }
  // The same for a pointer; nothing for a null one.
  std::optional<Kva> Pointer(std::initializer_list<std::string_view> names) const;

 private:
  Walk walk_;
};

}  // namespace ktstr

// Which scheduling class a task belongs to: its sched_class pointer, against the kernel's symbols.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

class SchedClasses {
 public:
  explicit SchedClasses(const GuestKernel& kernel);

  // "fair", "rt", "dl", "ext", "idle" or "stop"; nothing for a pointer that is none of the classes.
  std::optional<std::string> NameOf(Kva sched_class) const;
  // "fair_sched_class" and so on.
  static std::string SymbolOf(std::string_view name);

 private:
  std::unordered_map<uint64_t, std::string> names_;
};

}  // namespace ktstr

// Where a member is in the kernel's structures, by name.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>

namespace ktstr {

// The paths under which kernels have had one member (they get renamed and moved), in the order in
// which they are looked for: "cpu", "thread_info.cpu". The texts must outlive this object.
class MemberPaths {
 public:
  template <std::convertible_to<std::string_view>... Path>
  constexpr MemberPaths(const Path&... paths)  // NOLINT: one path is as good as several
      : paths_{std::string_view(paths)...}, count_(sizeof...(Path)) {}

  constexpr std::span<const std::string_view> all() const {
    return std::span(paths_).first(count_);
  }

 private:
  std::array<std::string_view, 3> paths_;
  size_t count_;
};

// A structure whose members are looked for: `name` itself, or what it has as its member `part`,
// from where paths go on then. Offsets count from the begin of `name` either way. A kernel whose
// `name` has no such part lacks nothing that is looked for in the part, and neither does one
// without a structure that is `optional`.
struct Structure {
  std::string_view name;
  std::string_view part = {};
  bool optional = false;

  friend constexpr bool operator==(const Structure&, const Structure&) = default;
};

}  // namespace ktstr

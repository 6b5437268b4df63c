// Which kernels this program was tried with. Nothing that is read depends on it: layouts come from
// the kernel's own types. It only tells how far the tests went.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ktstr {

// The newest kernel that the guest tests (tests/kernels.sh) pass with.
inline constexpr int kNewestTriedMajor = 7, kNewestTriedMinor = 3;

// Of a release such as "7.4.1-amd64": "kernel 7.4.1-amd64 is newer than this program was tried with
// (7.3)"; nothing for one that is not, or whose release does not begin with two numbers.
std::optional<std::string> NewerThanTried(std::string_view release);

}  // namespace ktstr

// What QEMU's monitor says of registers ("info registers -a"), which it does without stopping the
// guest.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ktstr {

// The part of each CPU, in order.
std::vector<std::string_view> SplitByCpu(std::string_view text);

// A register of one CPU's part, by its name there ("RDI=", "IDT=": of a descriptor table, its
// base).
std::optional<uint64_t> RegisterIn(std::string_view part, std::string_view name);

}  // namespace ktstr

// How to unwind out of code that BPF's compiler made (arch/x86/net/bpf_jit_comp.c). It has no ORC
// entries, but a frame pointer, except in its first and last instructions, which are recognised.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "libcore/image/orc.h"

namespace ktstr {

// An entry in ORC's terms for the place `offset` bytes into a piece of such code. `head` is its
// begin, kGeneratedHead bytes or all of it; `around` the byte before that place and the one at it,
// which only matter when the next instruction to execute is there (`exact`); else a call ended
// there, as only can be where the frame pointer stands. `name` is the code's in the kernel's list:
// dispatchers have no frame. Nothing where the code is not of the known form.
inline constexpr size_t kGeneratedHead = 40;
std::optional<OrcEntry> UnwindGeneratedCode(std::span<const std::byte> head,
                                            std::array<std::byte, 2> around, uint64_t offset,
                                            bool exact, std::string_view name);

}  // namespace ktstr

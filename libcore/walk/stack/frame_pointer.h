// How code is unwound that has a frame pointer and no table.
#pragma once

#include <optional>

#include "libcore/image/orc.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

// A function that has made its frame: its caller's frame pointer where its own points, and its
// return address above.
inline constexpr OrcEntry kByFramePointer = {.sp_offset = 16,
                                             .bp_offset = -16,
                                             .sp_reg = OrcRegister::kBp,
                                             .bp_reg = OrcRegister::kPrevSp,
                                             .type = OrcType::kCall};

// Of a function that begins at `begin` and is interrupted at `ip`, before it has made its frame:
// where its return address is. Nothing when it has made it, or when its code cannot be read.
std::optional<OrcEntry> UnwindPrologue(const GuestKernel& kernel, Kva begin, Kva ip);

}  // namespace ktstr

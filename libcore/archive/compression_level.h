// How hard archives are compressed: zstd's levels, and one of our own.
#pragma once

namespace ktstr {

// zstd's level 1 with the tables that suit pages of a kernel: as small, in 0.86 of its time
// (FORMAT.md, "Levels"). zstd itself takes 0 for its own default, which is 3.
inline constexpr int kKernelPagesLevel = 0;

// What people may ask for. Those below 0 are faster and larger yet.
inline constexpr int kLeastLevel = -5;
inline constexpr int kMostLevel = 19;

}  // namespace ktstr

// makedumpfile's flattened format (its makedumpfile.h: struct makedumpfile_header and
// makedumpfile_data_header): a dump as it is written to a pipe, pieces with the offset at which
// each belongs. Numbers are big-endian.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

namespace ktstr::vmcore {

using namespace std::string_view_literals;

// At the file's begin, followed by type and version (u64 each) and zeros up to kFlatHeaderSize.
inline constexpr std::string_view kFlatSignature = "makedumpfile\0\0\0\0"sv;
inline constexpr uint64_t kFlatType = 1, kFlatVersion = 1;
inline constexpr uint64_t kFlatHeaderSize = 4096;
// Offset and size of the piece that ends the file.
inline constexpr uint64_t kFlatEnd = ~uint64_t{0};
// What is believed of an offset.
inline constexpr uint64_t kFlatMostOffset = uint64_t{1} << 60;

constexpr uint64_t FromBigEndian(uint64_t value) {
  static_assert(std::endian::native == std::endian::little);
  return __builtin_bswap64(value);
}
constexpr uint64_t ToBigEndian(uint64_t value) { return FromBigEndian(value); }

}  // namespace ktstr::vmcore

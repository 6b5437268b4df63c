// Files of other kinds that people give for an archive by mistake.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace ktstr::archive {

// How many bytes from a file's begin tell what it is.
inline constexpr size_t kTellingBytes = 0x206;

// What the file is, and what to do with it, as the end of a sentence that begins with its name;
// empty for one that is of no kind known here.
std::string_view OtherFormat(std::span<const std::byte> begin);

}  // namespace ktstr::archive

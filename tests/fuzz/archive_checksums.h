// Checksums of archives and packs made right again after a fuzzer has changed them: behind wrong
// ones nothing is read.
#pragma once

#include <cstddef>
#include <span>

namespace ktstr::fuzz {

// Of an archive (FORMAT.md): repairs what can be told where it is, from the end, as a reader goes.
// Checksums of memory frames are in a section that is taken to be stored as it is.
void RepairArchive(std::span<std::byte> file);
// Of a pack (PACK.md): those of all blocks that follow one another, and of the last one.
void RepairPack(std::span<std::byte> file);

}  // namespace ktstr::fuzz

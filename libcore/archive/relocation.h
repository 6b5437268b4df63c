// Pages that hold pointers into themselves, and are equal but for where they lie: above all the
// struct pages of memory that is free, of which each holds a list head that points to itself
// (INIT_LIST_HEAD in __init_single_page, mm/mm_init.c). The kernel has 64 MiB of them for each
// 4 GiB of RAM. Of such pages one is stored, and of the others where it lies and where they do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "libcore/archive/bytes.h"
#include "libcore/base/address.h"
#include "libcore/memory/page.h"

namespace ktstr::archive {

// One page as another one that lies elsewhere. Both are kernel-virtual addresses of pages,
// multiples of kPageSize.
struct Relocation {
  uint64_t from = 0;  // of the page whose bytes there are
  uint64_t to = 0;    // of the page that is made of it

  // For the page that lies `pages` further.
  Relocation Further(uint64_t pages) const { return {from, to + pages * kPageSize}; }
  friend bool operator==(const Relocation&, const Relocation&) = default;
};

// As it stands in a file, for the first of `pages` pages that follow one another.
void PutRelocation(const Relocation& relocation, ByteSink& sink);
// What that takes, in bytes.
size_t RelocationSize(const Relocation& relocation);
// Nothing when the source ends, or when there are no such addresses.
std::optional<Relocation> GetRelocation(uint64_t pages, ByteSource& source);

// Words that are addresses less than this far from a page's own, in bytes, lie where they do
// because the page does: neighbours of a free block in its list, too. (Blocks of the buddy
// allocator are at most 512 MiB, of which struct pages take up 512 KiB.)
inline constexpr uint64_t kOwnReach = uint64_t{1} << 20;

// Where `page` (kPageSize bytes) lies, as its own words say: the first word beyond its beginning
// that is a kernel address with its own offset in the page. 0 when there is none.
uint64_t OwnAddress(const std::byte* page);

// A hash of the page, which is the same for all pages that EqualButForAddress holds equal to it.
// `own` is what OwnAddress says of it, not 0.
uint64_t HashRelative(const std::byte* page, uint64_t own);

// Whether both hold the same once each word within reach of the own address is taken as the
// distance from there. Then Relocate makes either of the other. Of three pages, two that are equal
// to the third are equal.
bool EqualButForAddress(const std::byte* a, uint64_t own_a, const std::byte* b, uint64_t own_b);

// Writes `page` as it is at relocation.to. `page` and `out` are kPageSize bytes.
void Relocate(const std::byte* page, const Relocation& relocation, std::byte* out);
// The same of a view, in memory of its own; a page that is not readable stays what it is.
PageView RelocatedView(const PageView& page, const Relocation& relocation);

}  // namespace ktstr::archive

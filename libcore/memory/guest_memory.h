// GuestMemory: the physical pages of a guest, wherever they are (a RAM file mapped from a live VMM,
// an archive, a synthetic guest of a test). The one virtual interface between a frozen machine and
// everything that reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <type_traits>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/memory/page.h"

namespace ktstr {

// A range of guest-physical page frames that are RAM: [begin, end).
struct MemoryRegion {
  Pfn begin;
  Pfn end;

  uint64_t page_count() const { return end - begin; }
  bool Contains(Pfn pfn) const { return begin <= pfn && pfn < end; }
  friend bool operator==(const MemoryRegion&, const MemoryRegion&) = default;
};

class GuestMemory {
 public:
  virtual ~GuestMemory() = default;

  // All RAM of the guest: sorted, disjoint, none empty. Fixed for the object's lifetime.
  virtual std::span<const MemoryRegion> regions() const = 0;

  // The page at `pfn`. Never fails: a page that cannot be read has a fate that says so. May be
  // called from several threads at once.
  virtual PageView View(Pfn pfn) const = 0;

  // Where the page can be written, as kPageSize bytes valid for the object's lifetime, holding the
  // page's present contents. Not to be called while another thread reads the same page.
  // Errors: kOutOfRange where there is no RAM, kUnreadable where the present contents are not known
  // (a write of part of the page would invent the rest), kReadOnly where this memory takes no
  // writes.
  virtual Result<std::byte*> Writable(Pfn pfn) = 0;

  // Whether the page could be written now. Errors: as Writable.
  virtual Status CheckWritable(Pfn pfn);

  // Copies `bytes` to `pa` on, page by page. On an error the pages before the failing one are
  // written. Errors: as Writable.
  virtual Status Write(Pa pa, std::span<const std::byte> bytes);

  // The first frame at or after `from` that may hold something other than zeros, within the region
  // that contains `from`; the region's end when there is none. Lets a scan skip memory that the
  // guest never touched. `from` must lie in a region.
  virtual Pfn NextTouched(Pfn from) const { return from; }

  // What these pages are stored as, in pieces, from a memory that has that at less cost than their
  // bytes, such as compressed frames. From it the bytes follow: pages of which the same was taken,
  // piece after piece, are the same. False, perhaps after some pieces, where there is no such thing
  // or a page cannot be read.
  virtual bool ReadStored(std::span<const Pfn> /*pages*/,
                          const std::function<void(std::span<const std::byte>)>& /*take*/) const {
    return false;
  }

  // Called with 1 and -1 in turn, by OnePass.
  virtual void ExpectOnePass(int) {}

  // Copies `out.size()` bytes from `pa` on, page by page. Errors: kOutOfRange, kUnreadable; `out`
  // is then partly written and must not be used.
  Status Read(Pa pa, std::span<std::byte> out) const;

  // One scalar in the guest's byte order (little-endian). Errors: as Read.
  template <typename T>
  Result<T> ReadScalar(Pa pa) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (pa.page_offset() + sizeof(T) <= kPageSize) {
      const PageView page = View(Pfn::Of(pa));
      if (!page.readable()) return Fail(UnreadableError(pa, page));
      std::memcpy(&value, page.data() + pa.page_offset(), sizeof(T));
      return value;
    }
    KTSTR_TRY(Read(pa, std::as_writable_bytes(std::span<T, 1>(&value, 1))));
    return value;
  }

  // RAM in all regions, in pages.
  uint64_t page_count() const;
  // One past the highest RAM address.
  Pa end() const;
  // nullptr when `pfn` is not RAM.
  const MemoryRegion* FindRegion(Pfn pfn) const;

  // The error that says why the page at `pa` has no bytes: kOutOfRange for kOutside, kUnreadable
  // else.
  static Error UnreadableError(Pa pa, const PageView& page);
};

// While one lives, pages are read that will hardly be looked at again: a memory that keeps what it
// has read keeps little more of it, so that the same few buffers are used all the time. A hint, for
// all threads; what is read is the same.
class OnePass {
 public:
  explicit OnePass(GuestMemory& memory) : memory_(memory) { memory_.ExpectOnePass(1); }
  ~OnePass() { memory_.ExpectOnePass(-1); }
  OnePass(const OnePass&) = delete;
  OnePass& operator=(const OnePass&) = delete;

 private:
  GuestMemory& memory_;
};

}  // namespace ktstr

// AddressSpace: guest-virtual to guest-physical, by the guest's own x86-64 page tables.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"
#include "libcore/memory/vcpu.h"
#include "libcore/paging/translation_cache.h"

namespace ktstr {

// How many levels the page tables have: CR4.LA57.
enum class PagingMode : uint8_t { kFourLevel, kFiveLevel };

// That of a vCPU whose control registers are known.
inline PagingMode PagingModeOf(const VcpuRegisters& vcpu) {
  return vcpu.five_level_paging() ? PagingMode::kFiveLevel : PagingMode::kFourLevel;
}

// Where one virtual address leads.
struct Translation {
  Pa pa;
  uint64_t page_size;  // of the leaf that maps it: 4 KiB, 2 MiB or 1 GiB, in bytes
};

class AddressSpace {
 public:
  // `root` is the physical address of the top-level table (CR3 without its flag bits). `memory`
  // must outlive this object.
  AddressSpace(GuestMemory& memory, Pa root, PagingMode mode);

  // The translation of `va`, from the cache or by a walk of at most five steps. May be called from
  // several threads at once. Errors: kUnmapped (not present, at which level; not canonical),
  // kUnreadable and kOutOfRange (a table lies in memory that has no bytes), kDamaged (a table entry
  // that no processor would accept).
  Result<Pa> Translate(Kva va) const {
    uint64_t frame;
    if (IsKernelHalf(va) && caches_->pages.Find(PageKey(va), frame)) {
      return Pa(frame << kPageShift) + va.page_offset();
    }
    return TranslateSlow(va);
  }

  // The translation with the leaf's size, always by a walk. Errors: as Translate.
  Result<Translation> Walk(Kva va) const;

  // The lowest mapped address in [from, to), or nothing. Skips unmapped ranges a whole entry at a
  // time. Errors: kUnreadable, kOutOfRange, kDamaged as in Translate.
  Result<std::optional<Kva>> FirstMapped(Kva from, Kva to) const;

  // Bytes at a virtual address, translated page by page. On an error `out` is partly written and
  // must not be used. Errors: as Translate, and kUnreadable or kOutOfRange for the bytes
  // themselves.
  Status Read(Kva va, std::span<std::byte> out) const;

  // Writes page by page; on an error the pages before the failing one are written. Errors: as Read,
  // and those of GuestMemory::Writable.
  Status Write(Kva va, std::span<const std::byte> bytes);

  // One little-endian scalar (any trivially copyable type). Errors: as Read.
  template <typename T>
  Result<T> ReadScalar(Kva va) const {
    if (va.page_offset() + sizeof(T) <= kPageSize) {
      return memory_->ReadScalar<T>(KTSTR_TRY(Translate(va)));
    }
    T value;
    KTSTR_TRY(Read(va, std::as_writable_bytes(std::span<T, 1>(&value, 1))));
    return value;
  }

  // Forgets cached translations: to be called when the page tables may have changed.
  void Flush() const;

  GuestMemory& memory() const { return *memory_; }
  Pa root() const { return root_; }
  PagingMode mode() const { return mode_; }

 private:
  struct Caches {
    PageTranslationCache pages;
    DirectoryTranslationCache directories;
  };
  // A step of the walk that ended it: a leaf, or an entry that is not present.
  struct WalkEnd {
    int level;  // 1 (PTE) to 5 (PML5E)
    Pa entry_address;
    uint64_t entry;
  };

  static bool IsKernelHalf(Kva va) { return (va.value() >> 56) == 0xff; }
  static uint64_t PageKey(Kva va) { return va.value() >> 12; }
  static uint64_t DirectoryKey(Kva va) { return va.value() >> 21; }

  int levels() const { return mode_ == PagingMode::kFiveLevel ? 5 : 4; }
  bool IsCanonical(Kva va) const;
  Result<Pa> TranslateSlow(Kva va) const;
  Result<WalkEnd> Descend(Kva va, Pa table, int level) const;
  void RememberDirectory(Kva va, const WalkEnd& end) const;
  Error NotMapped(Kva va, const WalkEnd& end) const;

  GuestMemory* memory_;
  Pa root_;
  PagingMode mode_;
  std::unique_ptr<Caches> caches_;
};

}  // namespace ktstr

// Guest-virtual to guest-physical by aarch64 page tables (Arm ARM, VMSAv8-64): the kernel's half
// (TTBR1), all three granules, 48 and 52 bits of address.
#pragma once

#include <cstdint>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"
#include "libcore/paging/address_space.h"

namespace ktstr {

// The shape of the tables, as TCR_EL1 tells it.
struct Arm64Paging {
  int va_bits = 48;               // 64 - T1SZ
  int granule_shift = 12;         // 12, 14 or 16: tables and pages of 4, 16 or 64 KiB
  bool wide_descriptors = false;  // FEAT_LPA2 (TCR_EL1.DS): 52 bits with 4 or 16 KiB

  // T1SZ is bits 21:16, TG1 bits 31:30 (1: 16 KiB, 2: 4 KiB, 3: 64 KiB), DS bit 59. Errors:
  // kUnsupported for a granule or size that the architecture does not have.
  static Result<Arm64Paging> FromTcr(uint64_t tcr_el1);

  // The physical address of the top-level table out of TTBR1_EL1, without ASID and CnP.
  Pa RootOf(uint64_t ttbr1_el1) const;

  // How many levels the walk has, and how many of the address's bits each indexes.
  int levels() const;
  int index_bits() const { return granule_shift - 3; }
  // The kernel's half begins at this address.
  Kva kernel_half() const { return Kva(~uint64_t{0} << va_bits); }
};

// Where the kernel's linear map is: physical address dram_base at page_offset.
struct Arm64LinearMap {
  Kva page_offset;
  Pa dram_base;  // of the first byte of RAM: not 0 on most machines (QEMU virt: 0x40000000)
};

class Arm64AddressSpace {
 public:
  // `memory` must outlive this object; it is addressed as the guest addresses it, so its regions
  // begin at dram_base.
  Arm64AddressSpace(const GuestMemory& memory, Pa root, Arm64Paging paging, Arm64LinearMap linear)
      : memory_(&memory), root_(root), paging_(paging), linear_(linear) {}

  // Any kernel address: the linear map by subtraction where RAM lies behind it, everything else by
  // the tables. Errors: as Walk.
  Result<Pa> Translate(Kva va) const;

  // By the tables, with the size of the leaf in bytes. Errors: kUnmapped (an invalid or reserved
  // descriptor, at which level; an address below the kernel's half), kUnreadable and kOutOfRange (a
  // table lies in memory that has no bytes).
  Result<Translation> Walk(Kva va) const;

 private:
  int ShiftOf(int level) const;
  bool IsLeaf(uint64_t descriptor, int level) const;
  Pa OutputOf(uint64_t descriptor) const;

  const GuestMemory* memory_;
  Pa root_;
  Arm64Paging paging_;
  Arm64LinearMap linear_;
};

}  // namespace ktstr

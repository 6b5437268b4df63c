// The registers of one virtual CPU of a frozen x86-64 machine, in architectural terms only.
#pragma once

#include <array>
#include <cstdint>

#include "libcore/base/address.h"

namespace ktstr {

// General registers in the order of their hardware encoding.
enum class Gpr : uint8_t {
  kRax,
  kRcx,
  kRdx,
  kRbx,
  kRsp,
  kRbp,
  kRsi,
  kRdi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15,
};

struct SegmentRegister {
  uint16_t selector = 0;
  uint64_t base = 0;
  uint32_t limit = 0;
  uint32_t attributes = 0;  // descriptor bits 8..23 of the high word, in place

  friend bool operator==(const SegmentRegister&, const SegmentRegister&) = default;
};

struct DescriptorTable {
  uint64_t base = 0;
  uint32_t limit = 0;

  friend bool operator==(const DescriptorTable&, const DescriptorTable&) = default;
};

// The processor mode that matters to a reader of the kernel.
enum class VcpuMode : uint8_t { kKernel, kUser, kHalted };

// Registers that a source tells together or not at all: a dump of another tool's lacks some.
enum class RegisterGroup : uint8_t {
  // Base, limit and attributes of all segments but the bases of FS and GS; LDT, TR, GDT and IDT.
  kDescriptors,
  kGsBase,        // the base of GS
  kKernelGsBase,  // kernel_gs_base
  kControl,       // cr0, cr2, cr3, cr4
  kSystemCalls,   // efer, star, lstar, cstar, fmask
  kTsc,           // tsc
  kHalted,        // halted
};

struct VcpuRegisters {
  uint32_t cpu = 0;  // index as the VMM counts them, from 0
  std::array<uint64_t, 16> gpr = {};
  uint64_t rip = 0;
  uint64_t rflags = 0;
  SegmentRegister es, cs, ss, ds, fs, gs, ldt, tr;
  DescriptorTable gdt, idt;
  uint64_t cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0;
  uint64_t efer = 0, star = 0, lstar = 0, cstar = 0, fmask = 0;
  uint64_t kernel_gs_base = 0;  // MSR_KERNEL_GS_BASE: the other one of the swapgs pair
  uint64_t tsc = 0;             // in cycles, as the guest reads it
  bool halted = false;          // stopped in HLT until the next interrupt
  // A bit for each RegisterGroup that is not known: its registers are 0 here, which says nothing.
  uint32_t unknown = 0;

  bool Knows(RegisterGroup group) const { return (unknown >> static_cast<int>(group) & 1) == 0; }
  void Forget(RegisterGroup group) { unknown |= uint32_t{1} << static_cast<int>(group); }
  // Whether mode() is known: a CPU in the kernel may have been halted.
  bool KnowsMode() const { return Knows(RegisterGroup::kHalted) || mode() == VcpuMode::kUser; }
  uint64_t reg(Gpr r) const { return gpr[static_cast<size_t>(r)]; }
  // CPL is the low two bits of CS. A CPU that executed HLT did so in kernel mode; where it is not
  // known whether one did, it is in kernel mode.
  VcpuMode mode() const {
    if ((cs.selector & 3) != 0) return VcpuMode::kUser;
    return halted ? VcpuMode::kHalted : VcpuMode::kKernel;
  }
  // The page-table root: CR3 without PCID and flag bits.
  Pa page_table_root() const { return Pa(cr3 & 0x000ffffffffff000ULL); }
  // CR4.LA57: the CPU translates with five levels.
  bool five_level_paging() const { return (cr4 & (uint64_t{1} << 12)) != 0; }

  friend bool operator==(const VcpuRegisters&, const VcpuRegisters&) = default;
};

}  // namespace ktstr

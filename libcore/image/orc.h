// ORC: the table by which the kernel walks its stacks back (arch/x86/include/asm/orc_types.h): for
// every piece of text, where the caller's stack pointer, frame pointer and registers are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/image/type_info.h"

namespace ktstr {

// ORC_REG_*: what an offset counts from. Kernels number them in one of two ways (OrcNumbering).
enum class OrcRegister : uint8_t {
  kUndefined,
  kPrevSp,
  kDx,
  kDi,
  kBp,
  kSp,
  kR10,
  kR13,
  kBpIndirect,
  kSpIndirect,
  kAx,
  kUnknown,  // a number that no kernel that we know has
};

// Which number stands for which register.
enum class OrcNumbering : uint8_t {
  kFirst,   // up to 7.0
  kWithAx,  // 7.1 on: all but two have other numbers, and AX is new
};

// What lies at the place that an entry tells of.
enum class OrcType : uint8_t {
  kUndefined,    // nothing that could be unwound
  kEndOfStack,   // there is no caller
  kCall,         // a return address
  kRegs,         // a struct pt_regs
  kRegsPartial,  // the part of one that the processor pushes: ip, cs, flags, sp, ss
};

struct OrcEntry {
  int16_t sp_offset = 0;
  int16_t bp_offset = 0;
  OrcRegister sp_reg = OrcRegister::kUndefined;
  OrcRegister bp_reg = OrcRegister::kUndefined;
  OrcType type = OrcType::kUndefined;
  bool signal = false;  // the frame before was interrupted at its address, not called from there

  friend bool operator==(const OrcEntry&, const OrcEntry&) = default;
};

// How a kernel lays its entries out.
class OrcFormat {
 public:
  // By the kernel's struct orc_entry. Its `type` has other numbers where there is a member `end`
  // (before commit f571da059f86, 6.4). Errors: kNotFound (a kernel without ORC), kDamaged.
  static Result<OrcFormat> From(const TypeInfo& types);
  // Learns the numbering from the kernel's own entry for a function without a frame,
  // `null_orc_entry` (arch/x86/kernel/unwind_orc.c), which counts from the stack pointer: 5 in the
  // first numbering, 3 in the second. Errors: kUnsupported when it is neither.
  Status LearnNumbering(std::span<const std::byte> null_entry);

  size_t entry_size() const { return entry_size_; }
  // `entry` holds entry_size() bytes.
  OrcEntry Decode(std::span<const std::byte> entry) const;

 private:
  uint64_t Bits(std::span<const std::byte> entry, const Member& member) const;

  size_t entry_size_ = 0;
  OrcNumbering numbering_ = OrcNumbering::kFirst;
  Member sp_offset_, bp_offset_, sp_reg_, bp_reg_, type_;
  std::optional<Member> signal_, end_;
};

// The entries of one piece of text, by address.
class OrcTable {
 public:
  OrcTable() = default;
  // `ips` are the bytes of the orc_unwind_ip table, which stands at `ips_at` in the guest: s32
  // each, counted from their own place; `entries` those of the orc_unwind table. Errors: kDamaged
  // (sizes that do not fit each other, addresses that do not ascend).
  static Result<OrcTable> Parse(const OrcFormat& format, Kva ips_at, std::span<const std::byte> ips,
                                std::vector<std::byte> entries);

  size_t size() const { return begins_.size(); }
  // Where entry `index` begins to hold, in ascending order, and what it says.
  Kva begin(size_t index) const { return Kva(begins_[index]); }
  OrcEntry at(size_t index) const;
  // The entry that covers `ip`: the last one that begins at or before it, of several at one address
  // the last (the others end a section). The caller knows where the text ends.
  std::optional<OrcEntry> Find(Kva ip) const;

 private:
  OrcFormat format_;
  std::vector<uint64_t> begins_;
  std::vector<std::byte> entries_;
};

}  // namespace ktstr

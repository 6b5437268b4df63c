// Bootstrap: where a frozen x86-64 kernel is, worked out from memory and vCPU registers alone. Each
// number is derived by every method that applies, and each method's answer is kept.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/base/derivation.h"
#include "libcore/base/result.h"
#include "libcore/image/kallsyms.h"
#include "libcore/image/vmcoreinfo.h"
#include "libcore/image/vmlinux.h"
#include "libcore/memory/guest_memory.h"
#include "libcore/memory/vcpu.h"
#include "libcore/paging/address_space.h"

namespace ktstr {

// __START_KERNEL_map: where the linker's kernel addresses begin
// (arch/x86/include/asm/page_64_types.h).
inline constexpr Kva kStartKernelMap{0xffffffff80000000};
// The end of the range in which text can be: MODULES_VADDR without KASLR's 1 GiB, whichever is
// larger.
inline constexpr Kva kTextRangeEnd{0xffffffffc0000000};
// _text as the linker places it with CONFIG_PHYSICAL_START's default of 16 MiB.
inline constexpr LinkKva kDefaultLinkText{0xffffffff81000000};

// What a derivation's value may be for several methods; collected while deriving.
class DerivationLog {
 public:
  void Found(std::string name, std::string method, uint64_t value, std::string note = "");
  void None(std::string name, std::string method, std::string note);
  // Marks the value that most methods gave (of equally many the one recorded first) as chosen and
  // returns it; nothing when no method gave one.
  std::optional<uint64_t> Choose(std::string_view name);

  const std::vector<Derivation>& all() const { return all_; }
  // One sentence per number on which methods disagree.
  std::vector<std::string> Disagreements() const;

 private:
  std::vector<Derivation> all_;
};

// A kernel's place in memory, before its symbols are known.
struct KernelPlace {
  std::optional<Vmcoreinfo> vmcoreinfo;
  uint64_t phys_base = 0;  // pa(_text) - (va(_text) - __START_KERNEL_map), modulo 2^64
  PagingMode paging = PagingMode::kFourLevel;
  Pa root;                        // of the kernel's own page tables
  std::optional<Kva> first_text;  // the first mapped address of the text range: _text

  Pa TextToPa(Kva kva) const { return Pa(kva - kStartKernelMap + phys_base); }
};

// Finds the kernel. `vmcoreinfo_hints` are where the note may be (what a capture found): when one
// of them is that of the running kernel, memory is not scanned. Errors: kNotFound when neither a
// VMCOREINFO nor a vCPU with page tables leads to a kernel.
Result<KernelPlace> FindKernel(GuestMemory& memory, std::span<const VcpuRegisters> vcpus,
                               std::span<const Pa> vmcoreinfo_hints, DerivationLog& log);

// The KASLR offset of the text by every method that applies: VMCOREINFO, LSTAR, the IDT, the first
// mapped text. `run_time` are run-time symbols (kallsyms) and may be null, `link_time` those of a
// vmlinux file and may be null. Nothing when no method applies.
std::optional<uint64_t> FindKaslrOffset(const KernelPlace& place, const AddressSpace& space,
                                        std::span<const VcpuRegisters> vcpus,
                                        const SymbolTable* run_time, const SymbolTable* link_time,
                                        DerivationLog& log);

}  // namespace ktstr

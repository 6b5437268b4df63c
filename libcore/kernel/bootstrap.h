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
  std::vector<size_t> vcpus;      // those that are in its page tables, as indexes
  size_t running = 0;             // those of them that are not halted for good
  // When it gave up for its crash kernel (CRASHTIME), in seconds of Unix time.
  std::optional<int64_t> crashed_at;

  Pa TextToPa(Kva kva) const { return Pa(kva - kStartKernelMap + phys_base); }
};

// Every kernel that memory holds: a machine that was booted by kexec has, or had, two.
struct KernelsInMemory {
  std::vector<KernelPlace> places;  // never empty, in the order of find_kernel.cc
  // Whether memory was looked through for all of them. Without, the first is the one that runs, and
  // there may be others.
  bool all = false;
  // vCPUs whose page tables map the text of a kernel that is none of these, as indexes.
  std::vector<size_t> elsewhere;
};

struct KernelSearch {
  std::vector<Pa> hints;       // where notes may be (what a capture found)
  bool hints_are_all = false;  // whether there are no others
  size_t at_least = 1;         // how many kernels are wanted, if there are so many
};

// Finds the kernels. Memory is not scanned when hints lead to what the vCPUs run, and to as many as
// are wanted. Errors: kNotFound when neither a VMCOREINFO nor a vCPU with page tables leads to a
// kernel.
Result<KernelsInMemory> FindKernels(GuestMemory& memory, std::span<const VcpuRegisters> vcpus,
                                    const KernelSearch& search);

// Writes down how the place was found. `vcpus` are all of the machine's. Takes phys_base over from
// the method that is chosen.
void LogPlace(GuestMemory& memory, std::span<const VcpuRegisters> vcpus, KernelPlace* place,
              DerivationLog& log);

// The KASLR offset of the text by every method that applies: VMCOREINFO, LSTAR, the IDT, the first
// mapped text. `run_time` are run-time symbols (kallsyms) and may be null, `link_time` those of a
// vmlinux file and may be null. Nothing when no method applies.
std::optional<uint64_t> FindKaslrOffset(const KernelPlace& place, const AddressSpace& space,
                                        std::span<const VcpuRegisters> vcpus,
                                        const SymbolTable* run_time, const SymbolTable* link_time,
                                        DerivationLog& log);

}  // namespace ktstr

// GuestKernel: a frozen (or live) kernel as one object: its symbols, types and memory. The one
// interface that dispatcher and walkers are written against, whatever memory lies beneath.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/base/derivation.h"
#include "libcore/base/result.h"
#include "libcore/image/image_file.h"
#include "libcore/image/symbol_table.h"
#include "libcore/image/type_info.h"
#include "libcore/kernel/bootstrap.h"
#include "libcore/kernel/exclusive.h"
#include "libcore/memory/guest_memory.h"
#include "libcore/memory/vcpu.h"
#include "libcore/paging/address_space.h"

namespace ktstr {

class ImageStore;

struct GuestKernelOptions {
  std::vector<Pa> vmcoreinfo_hints;  // where a capture found notes; saves scanning memory
  std::string vmlinux;               // a source of symbols and types beside memory; may be empty
  bool hints_are_all = false;        // whether memory holds no other notes
  // Where decoded symbols and types of kernels are kept; may be null. Must outlive the kernel.
  const ImageStore* images = nullptr;
  // Which of the kernels in memory, from 1 on; 1 is the one that the vCPUs run (find_kernel.cc).
  size_t instance = 1;
};

// One of the kernels that memory holds.
struct KernelInstance {
  std::string release, build_id;  // as its note says; empty without one
  uint64_t phys_base = 0;
  std::vector<uint32_t> vcpus;        // those that are in its page tables, as the VMM counts
  size_t running = 0;                 // so many of them are not halted for good
  std::optional<int64_t> crashed_at;  // when its crash kernel took over, in seconds of Unix time
};

// The registers that a kernel saved of one of its CPUs when it crashed.
struct SavedRegisters {
  uint32_t cpu = 0;  // as the kernel counts
  int64_t pid = 0;   // of the task that the CPU ran
  // General registers, segments, rip and rflags; the bases of GS as the kernel had them. Of the
  // control registers only what says how the kernel's pages are mapped.
  VcpuRegisters registers;
};

// What a translation of kernel addresses depends on.
struct WalkContext {
  Pa root;
  PagingMode paging;
  Kva page_offset;
};

class GuestKernel {
 public:
  // Finds the kernel in `memory`, which must outlive this object, and reads its symbol table.
  // Errors: kNotFound (no kernel), kInvalidArgument (not so many), kUnsupported (no symbols to be
  // had), kDamaged, kUnreadable.
  static Result<std::unique_ptr<GuestKernel>> Open(GuestMemory& memory,
                                                   std::span<const VcpuRegisters> vcpus,
                                                   const GuestKernelOptions& options = {});
  ~GuestKernel();

  // What the kernel says of itself.
  const std::string& release() const { return release_; }    // such as "6.12.1-cloud-amd64"
  const std::string& build_id() const { return build_id_; }  // hexadecimal; may be empty
  // The boot command line. Errors: those of reading saved_command_line.
  Result<std::string> CommandLine() const;
  // All of the machine's.
  std::span<const VcpuRegisters> vcpus() const { return vcpus_; }
  // Those that are in this kernel, and those that are in none (wait to be started).
  std::span<const VcpuRegisters> own_vcpus() const { return own_vcpus_; }
  // What its CPUs executed when it crashed; empty unless it did, and had a crash kernel.
  std::span<const SavedRegisters> saved_registers() const { return saved_; }

  // The kernels in memory, and which of them this one is, from 1 on.
  std::span<const KernelInstance> instances() const { return instances_; }
  size_t instance() const { return instance_; }
  // Whether memory was looked through for all of them; without, there may be others.
  bool all_instances_known() const { return all_instances_known_; }
  // Which of them the vCPU is in, from 1 on.
  std::optional<size_t> InstanceOf(const VcpuRegisters& vcpu) const;

  // How the numbers below were found, and on which of them methods disagree.
  const std::vector<Derivation>& derivations() const { return log_.all(); }
  std::vector<std::string> Disagreements() const { return log_.Disagreements(); }
  // How far KASLR moved the text; nothing when unknown, which is not the same as 0.
  std::optional<uint64_t> kaslr_offset() const { return kaslr_offset_; }
  uint64_t phys_base() const { return place_.phys_base; }
  Kva page_offset() const { return page_offset_; }
  // The note in which the kernel tells crash tools of itself; nothing where it has none.
  const std::optional<Vmcoreinfo>& vmcoreinfo() const { return place_.vmcoreinfo; }
  int paging_levels() const { return place_.paging == PagingMode::kFiveLevel ? 5 : 4; }
  WalkContext walk_context() const { return {place_.root, place_.paging, page_offset_}; }

  GuestMemory& memory() const { return *memory_; }
  const AddressSpace& address_space() const { return space_; }
  const SymbolTable& symbols() const { return symbols_; }  // run-time addresses
  // The kernel's types, parsed at the first call. Errors: kNotFound (a kernel without BTF),
  // kDamaged, kUnreadable.
  Result<const TypeInfo*> types() const;

  // What was decoded, with the digest of the bytes that it was decoded of. To be taken while the
  // memory is still what it was when the kernel was opened: a guest that goes on could show other
  // bytes by then, and give whoever has those its own symbols. Decodes the types, too. Nothing of a
  // kernel that cannot be kept (without a build ID, with few symbols), or is there already.
  struct ImageSeal {
    ImageExtents extents;
    ImageKey key;
    ImageDigest digest;
    std::optional<ImageDigest> as_stored;  // DigestStoredImage
    const TypeInfo* types;                 // nullptr: it has none
  };
  std::optional<ImageSeal> SealImage() const;
  // Puts it into GuestKernelOptions::images, for who looks at this build next.
  void KeepImage(const ImageSeal& seal) const;
  // Both, which costs a few tens of milliseconds.
  void KeepImage() const;
  // Whether the symbols come from there.
  bool is_from_image() const { return image_ != nullptr; }

  // The run-time address of a symbol; of a zero-based per-CPU one its offset. Errors: kNotFound,
  // kAmbiguous.
  Result<Kva> symbol_kva(std::string_view name) const;
  // Of an address in the kernel image (text, data, bss). No check: the image is mapped linearly.
  Pa text_kva_to_pa(Kva kva) const { return place_.TextToPa(kva); }
  // Of an address in the direct map. Errors: kOutOfRange outside [page_offset, page_offset + RAM
  // end).
  Result<Pa> direct_kva_to_pa(Kva kva) const;
  // Of any kernel address: the direct map by subtraction, everything else by the page tables.
  // Errors: those of AddressSpace::Translate.
  Result<Pa> Translate(Kva kva) const {
    const uint64_t into_direct_map = kva - page_offset_;
    if (into_direct_map < direct_map_size_) return Pa(into_direct_map);
    return space_.Translate(kva);
  }

  // Any kernel address; bytes are translated page by page. Errors: those of Translate and of
  // GuestMemory::Read or Write.
  Status Read(Kva kva, std::span<std::byte> out) const;
  // All of the bytes or none are written.
  Status Write(const Exclusive& exclusive, Kva kva, std::span<const std::byte> bytes);
  template <typename T>
  requires(!std::is_convertible_v<T, std::span<const std::byte>>) Status
      Write(const Exclusive& exclusive, Kva kva, T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return Write(exclusive, kva, std::as_bytes(std::span<const T, 1>(&value, 1)));
  }
  template <typename T>
  Result<T> Read(Kva kva) const {
    if (kva.page_offset() + sizeof(T) <= kPageSize) {
      return memory_->ReadScalar<T>(KTSTR_TRY(Translate(kva)));
    }
    T value;
    KTSTR_TRY(Read(kva, std::as_writable_bytes(std::span<T, 1>(&value, 1))));
    return value;
  }
  template <typename T>
  Result<T> ReadSymbol(std::string_view name) const {
    return Read<T>(KTSTR_TRY(symbol_kva(name)));
  }
  // A NUL-terminated string of at most `max` bytes (cut there without an error).
  Result<std::string> ReadString(Kva kva, size_t max) const;

  // Per-CPU variables. `cpu` counts as the kernel does.
  // How many CPUs the kernel can have: nr_cpu_ids. Errors: those of reading the symbol.
  Result<uint32_t> CpuCount() const;
  // The address of a per-CPU variable's instance: symbol + __per_cpu_offset[cpu], whether per-CPU
  // symbols are zero-based (x86-64 before 6.15) or not. Errors: kNotFound (symbol), kOutOfRange (no
  // such CPU), and those of reading __per_cpu_offset.
  Result<Kva> PerCpu(std::string_view symbol, uint32_t cpu) const;
  Result<Kva> PerCpu(Kva symbol, uint32_t cpu) const;

 private:
  GuestKernel(GuestMemory& memory, std::span<const VcpuRegisters> vcpus, KernelPlace place,
              DerivationLog log);
  void SetInstances(const KernelsInMemory& kernels, size_t instance);
  Status LoadSymbols(const GuestKernelOptions& options);
  Status LoadVmlinux(const std::string& path);
  Status SearchSymbols(std::vector<KnownSymbol> known);
  void ReadNames();
  // Takes the symbols from the store when it has this kernel's.
  bool LoadImage(const KallsymsTables& tables, std::span<const KnownSymbol> known);
  Result<std::pair<Kva, uint64_t>> BtfPlace(const SymbolTable& symbols) const;
  Status FindPageOffset();
  Result<TypeInfo> ReadTypes() const;

  struct LazyTypes;

  GuestMemory* memory_;
  std::vector<VcpuRegisters> vcpus_, own_vcpus_;
  std::vector<SavedRegisters> saved_;
  std::vector<KernelInstance> instances_;
  size_t instance_ = 1;
  bool all_instances_known_ = false;
  KernelPlace place_;
  DerivationLog log_;
  AddressSpace space_;
  std::string release_, build_id_;
  SymbolTable symbols_;
  std::optional<uint64_t> kaslr_offset_;
  std::vector<std::byte> vmlinux_btf_;
  const ImageStore* images_ = nullptr;
  std::shared_ptr<const ImageFile> image_;
  // Of symbols that were decoded here, out of these tables.
  std::optional<std::pair<KallsymsTables, KallsymsExtents>> decoded_;
  Kva page_offset_;
  uint64_t direct_map_size_ = 0;  // in bytes
  std::unique_ptr<LazyTypes> types_;
};

}  // namespace ktstr

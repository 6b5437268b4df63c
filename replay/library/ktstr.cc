#include "replay/library/ktstr.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>

#include "libcore/paging/address_space.h"
#include "replay/frozen_machine.h"

using ktstr::Error;
using ktstr::ErrorCode;
using ktstr::GuestKernel;
using ktstr::Kva;
using ktstr::Pa;
using ktstr::Result;
using ktstr::Status;

struct ktstr_machine {
  std::unique_ptr<ktstr::FrozenMachine> frozen;
  std::mutex finding_kernel;
};

namespace {

int CodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
    case ErrorCode::kAmbiguous:
      return KTSTR_NOT_FOUND;
    case ErrorCode::kUnmapped:
      return KTSTR_UNMAPPED;
    case ErrorCode::kUnreadable:
      return KTSTR_UNREADABLE;
    case ErrorCode::kOutOfRange:
      return KTSTR_OUTSIDE;
    case ErrorCode::kDamaged:
      return KTSTR_DAMAGED;
    case ErrorCode::kUnsupported:
      return KTSTR_UNSUPPORTED;
    case ErrorCode::kInvalidArgument:
      return KTSTR_INVALID;
    default:
      return KTSTR_SYSTEM;
  }
}

int Tell(ktstr_error* out, int code, std::string_view message, uint64_t address = 0) {
  if (out == nullptr) return code;
  out->code = code;
  out->address = address;
  const size_t size = std::min(message.size(), sizeof out->message - 1);
  std::memcpy(out->message, message.data(), size);
  out->message[size] = '\0';
  return code;
}

int Tell(ktstr_error* out, const Error& error, uint64_t address = 0) {
  return Tell(out, CodeOf(error.code()), error.ToString(), address);
}

// What `work` gives, a code; no exception leaves the library.
template <typename Work>
int Guarded(ktstr_error* error, Work work) {
  try {
    return work();
  } catch (const std::exception& exception) {
    return Tell(error, KTSTR_SYSTEM, exception.what());
  }
}

// The same of the machine's kernel, which is found at the first call. `address` is what was asked
// about.
template <typename Work>
int WithKernel(ktstr_machine* machine, ktstr_error* error, Work work, uint64_t address = 0) {
  return Guarded(error, [&] {
    const auto kernel = [machine] {
      const std::scoped_lock lock(machine->finding_kernel);
      return machine->frozen->Kernel();
    }();
    return kernel ? work(std::as_const(**kernel)) : Tell(error, kernel.error(), address);
  });
}

// Reads page by page where `translate` says.
template <typename Translate>
int ReadPages(const ktstr_machine& machine, uint64_t address, void* out, size_t size,
              ktstr_error* error, Translate translate) {
  const ktstr::SnapshotMemory& memory = std::as_const(*machine.frozen).memory();
  if (size != 0 && address + (size - 1) < address) {
    return Tell(error, KTSTR_INVALID, "the bytes go around the end of memory", address);
  }
  for (size_t read = 0; read < size;) {
    const Result<Pa> pa = translate(address + read);
    if (!pa) return Tell(error, pa.error(), address + read);
    const ktstr::PageView page = memory.View(ktstr::Pfn::Of(*pa));
    if (!page.readable()) {
      return Tell(error, ktstr::GuestMemory::UnreadableError(*pa, page), address + read);
    }
    const size_t part = std::min<size_t>(size - read, ktstr::kPageSize - pa->page_offset());
    std::memcpy(static_cast<char*>(out) + read, page.data() + pa->page_offset(), part);
    read += part;
  }
  return KTSTR_OK;
}

ktstr_segment SegmentOf(const ktstr::SegmentRegister& segment) {
  return {segment.selector, segment.base, segment.limit, segment.attributes};
}

constexpr bool IsBitOf(ktstr_unknown bit, ktstr::RegisterGroup group) {
  return uint32_t(bit) == uint32_t{1} << static_cast<int>(group);
}
using enum ktstr::RegisterGroup;
static_assert(IsBitOf(KTSTR_UNKNOWN_DESCRIPTORS, kDescriptors) &&
              IsBitOf(KTSTR_UNKNOWN_GS_BASE, kGsBase) &&
              IsBitOf(KTSTR_UNKNOWN_KERNEL_GS, kKernelGsBase) &&
              IsBitOf(KTSTR_UNKNOWN_CONTROL, kControl) &&
              IsBitOf(KTSTR_UNKNOWN_SYSTEM_CALLS, kSystemCalls) &&
              IsBitOf(KTSTR_UNKNOWN_TSC, kTsc) && IsBitOf(KTSTR_UNKNOWN_HALTED, kHalted));

ktstr_vcpu RegistersOf(const ktstr::VcpuRegisters& vcpu) {
  ktstr_vcpu out = {};
  out.cpu = vcpu.cpu;
  out.halted = vcpu.halted ? 1 : 0;
  out.unknown = vcpu.unknown;
  uint64_t* const general[] = {&out.rax, &out.rcx, &out.rdx, &out.rbx, &out.rsp, &out.rbp,
                               &out.rsi, &out.rdi, &out.r8,  &out.r9,  &out.r10, &out.r11,
                               &out.r12, &out.r13, &out.r14, &out.r15};
  for (size_t i = 0; i < vcpu.gpr.size(); ++i) *general[i] = vcpu.gpr[i];
  out.rip = vcpu.rip;
  out.rflags = vcpu.rflags;
  out.es = SegmentOf(vcpu.es);
  out.cs = SegmentOf(vcpu.cs);
  out.ss = SegmentOf(vcpu.ss);
  out.ds = SegmentOf(vcpu.ds);
  out.fs = SegmentOf(vcpu.fs);
  out.gs = SegmentOf(vcpu.gs);
  out.ldt = SegmentOf(vcpu.ldt);
  out.tr = SegmentOf(vcpu.tr);
  out.gdt_base = vcpu.gdt.base;
  out.gdt_limit = vcpu.gdt.limit;
  out.idt_base = vcpu.idt.base;
  out.idt_limit = vcpu.idt.limit;
  out.cr0 = vcpu.cr0;
  out.cr2 = vcpu.cr2;
  out.cr3 = vcpu.cr3;
  out.cr4 = vcpu.cr4;
  out.efer = vcpu.efer;
  out.star = vcpu.star;
  out.lstar = vcpu.lstar;
  out.cstar = vcpu.cstar;
  out.fmask = vcpu.fmask;
  out.kernel_gs_base = vcpu.kernel_gs_base;
  out.tsc = vcpu.tsc;
  return out;
}

void CopyText(std::string_view text, char* out, size_t size) {
  if (size == 0) return;
  const size_t copied = std::min(text.size(), size - 1);
  std::memcpy(out, text.data(), copied);
  out[copied] = '\0';
}

}  // namespace

int ktstr_library_version(void) { return KTSTR_LIBRARY_VERSION; }

ktstr_machine* ktstr_open(const char* path, int flags, ktstr_error* error) {
  ktstr_machine* opened = nullptr;
  Guarded(error, [&] {
    using Damage = ktstr::FrozenMachine::Damage;
    const bool accept = (flags & KTSTR_ACCEPT_DAMAGE) != 0;
    auto frozen = ktstr::FrozenMachine::Open(path, accept ? Damage::kAccept : Damage::kRefuse);
    if (!frozen) return Tell(error, frozen.error());
    opened = new ktstr_machine{*std::move(frozen), {}};
    return int{KTSTR_OK};
  });
  return opened;
}

void ktstr_close(ktstr_machine* machine) { delete machine; }

const char* ktstr_digest(const ktstr_machine* machine) {
  return machine->frozen->archive().digest().c_str();
}

size_t ktstr_region_count(const ktstr_machine* machine) {
  return machine->frozen->archive().regions().size();
}

int ktstr_region(const ktstr_machine* machine, size_t index, uint64_t* begin, uint64_t* end) {
  const auto regions = machine->frozen->archive().regions();
  if (index >= regions.size()) return KTSTR_INVALID;
  *begin = regions[index].begin.pa().value();
  *end = regions[index].end.pa().value();
  return KTSTR_OK;
}

// The names are literals.
void ktstr_page_fate(const ktstr_machine* machine, uint64_t physical, const char** fate,
                     const char** reason) {
  const auto record = machine->frozen->archive().Lookup(ktstr::Pfn::Of(Pa(physical)));
  *fate = ktstr::PageFateName(record.fate).data();
  *reason = record.fate == ktstr::PageFate::kNotCaptured
                ? ktstr::LeftOutReasonName(record.reason).data()
                : "";
}

int ktstr_read_physical(const ktstr_machine* machine, uint64_t physical, void* out, size_t size,
                        ktstr_error* error) {
  return Guarded(error, [&] {
    return ReadPages(*machine, physical, out, size, error,
                     [](uint64_t at) -> Result<Pa> { return Pa(at); });
  });
}

int ktstr_read(ktstr_machine* machine, uint64_t address, void* out, size_t size,
               ktstr_error* error) {
  const auto read = [&](const GuestKernel& kernel) {
    return ReadPages(*machine, address, out, size, error,
                     [&](uint64_t at) { return kernel.Translate(Kva(at)); });
  };
  return WithKernel(machine, error, read, address);
}

int ktstr_translate(ktstr_machine* machine, uint64_t address, uint64_t* physical,
                    ktstr_error* error) {
  const auto translate = [&](const GuestKernel& kernel) {
    const auto pa = kernel.Translate(Kva(address));
    if (!pa) return Tell(error, pa.error(), address);
    *physical = pa->value();
    return int{KTSTR_OK};
  };
  return WithKernel(machine, error, translate, address);
}

int ktstr_read_of_vcpu(const ktstr_machine* machine, size_t vcpu, uint64_t address, void* out,
                       size_t size, ktstr_error* error) {
  return Guarded(error, [&] {
    const auto vcpus = machine->frozen->archive().vcpus();
    if (vcpu >= vcpus.size()) return Tell(error, KTSTR_NOT_FOUND, "there is no such vCPU");
    if (!vcpus[vcpu].Knows(kControl)) {
      return Tell(error, KTSTR_NOT_FOUND, "the vCPU's page tables are not known", address);
    }
    const ktstr::AddressSpace space(machine->frozen->memory(), vcpus[vcpu].page_table_root(),
                                    ktstr::PagingModeOf(vcpus[vcpu]));
    return ReadPages(*machine, address, out, size, error,
                     [&](uint64_t at) { return space.Translate(Kva(at)); });
  });
}

size_t ktstr_vcpu_count(const ktstr_machine* machine) {
  return machine->frozen->archive().vcpus().size();
}

int ktstr_vcpu_registers(const ktstr_machine* machine, size_t index, ktstr_vcpu* out,
                         ktstr_error* error) {
  const auto vcpus = machine->frozen->archive().vcpus();
  if (index >= vcpus.size()) return Tell(error, KTSTR_NOT_FOUND, "there is no such vCPU");
  *out = RegistersOf(vcpus[index]);
  return KTSTR_OK;
}

int ktstr_find_kernel(ktstr_machine* machine, ktstr_kernel* out, ktstr_error* error) {
  return WithKernel(machine, error, [&](const GuestKernel& kernel) {
    *out = {};
    CopyText(kernel.release(), out->release, sizeof out->release);
    out->kaslr_known = kernel.kaslr_offset() ? 1 : 0;
    out->kaslr_offset = kernel.kaslr_offset().value_or(0);
    out->phys_base = kernel.phys_base();
    out->page_offset = kernel.page_offset().value();
    out->paging_levels = static_cast<uint32_t>(kernel.paging_levels());
    return int{KTSTR_OK};
  });
}

int ktstr_symbol(ktstr_machine* machine, const char* name, uint64_t* address, ktstr_error* error) {
  return WithKernel(machine, error, [&](const GuestKernel& kernel) {
    const auto kva = kernel.symbol_kva(name);
    if (!kva) return Tell(error, kva.error());
    *address = kva->value();
    return int{KTSTR_OK};
  });
}

int ktstr_symbol_at(ktstr_machine* machine, uint64_t address, char* name, size_t size,
                    uint64_t* offset, ktstr_error* error) {
  return WithKernel(machine, error, [&](const GuestKernel& kernel) {
    const auto begin = kernel.symbol_kva("_text"), end = kernel.symbol_kva("_end");
    const auto symbol = kernel.symbols().FindAt(address);
    if (!symbol || !begin || !end || Kva(address) < *begin || Kva(address) >= *end) {
      return Tell(error, KTSTR_NOT_FOUND, "the address is not in the kernel's image", address);
    }
    CopyText(symbol->name, name, size);
    *offset = address - symbol->address;
    return int{KTSTR_OK};
  });
}

int ktstr_vmcoreinfo(ktstr_machine* machine, char* out, size_t size, size_t* length,
                     ktstr_error* error) {
  return WithKernel(machine, error, [&](const GuestKernel& kernel) {
    const auto& note = kernel.vmcoreinfo();
    if (!note) return Tell(error, KTSTR_NOT_FOUND, "the kernel has no VMCOREINFO");
    // Its text is within one page (VMCOREINFO_BYTES, include/linux/vmcore_info.h).
    std::array<char, ktstr::kPageSize> text;
    const size_t in_page = ktstr::kPageSize - note->pa().page_offset();
    const auto read = machine->frozen->memory().Read(
        note->pa(), std::as_writable_bytes(std::span(text).first(in_page)));
    if (!read) return Tell(error, read.error(), note->pa().value());
    *length = strnlen(text.data(), in_page);
    std::memcpy(out, text.data(), std::min(size, *length));
    return int{KTSTR_OK};
  });
}

#include <fmt/format.h>

#include <array>

#include "libcore/kernel/bootstrap.h"

namespace ktstr {

namespace {

constexpr const char* kName = "kaslr_offset";
// The least that CONFIG_PHYSICAL_ALIGN can be on x86-64; the offset is a multiple of it.
constexpr uint64_t kAlignment = uint64_t{2} << 20;

// Link-time addresses of entry points, and where they were taken from.
class LinkAddresses {
 public:
  LinkAddresses(const KernelPlace& place, const SymbolTable* run_time, const SymbolTable* link_time)
      : run_time_(run_time), link_time_(link_time) {
    const auto text = run_time_ == nullptr ? std::nullopt : RunTime("_text");
    const auto offset = place.vmcoreinfo ? place.vmcoreinfo->kernel_offset() : std::nullopt;
    if (text && offset) {
      text_ = LinkKva(text->value() - *offset);
      source_ = "link addresses by VMCOREINFO";
    } else {
      source_ = fmt::format("link address of _text taken as {:#x}", kDefaultLinkText.value());
    }
    if (link_time_ != nullptr) source_ = "link addresses from vmlinux";
  }

  std::optional<LinkKva> Of(std::string_view name) const {
    if (link_time_ != nullptr) {
      const auto symbol = link_time_->Find(name);
      return symbol ? std::optional(LinkKva(symbol->address)) : std::nullopt;
    }
    if (name == "_text") return text_;
    const auto symbol = run_time_ == nullptr ? std::nullopt : RunTime(name);
    const auto text = run_time_ == nullptr ? std::nullopt : RunTime("_text");
    if (!symbol || !text) return std::nullopt;
    return text_ + (*symbol - *text);
  }
  const std::string& source() const { return source_; }

 private:
  std::optional<Kva> RunTime(std::string_view name) const {
    const auto symbol = run_time_->Find(name);
    return symbol ? std::optional(Kva(symbol->address)) : std::nullopt;
  }

  const SymbolTable* run_time_;
  const SymbolTable* link_time_;
  LinkKva text_ = kDefaultLinkText;
  std::string source_;
};

void TryLstar(std::span<const VcpuRegisters> vcpus, const LinkAddresses& link, DerivationLog& log) {
  for (const VcpuRegisters& vcpu : vcpus) {
    if (vcpu.lstar == 0) continue;
    const auto entry = link.Of("entry_SYSCALL_64");
    if (!entry) return log.None(kName, "lstar", "the symbol entry_SYSCALL_64 is unknown");
    return log.Found(kName, "lstar", vcpu.lstar - entry->value(), link.source());
  }
  log.None(kName, "lstar", "LSTAR is 0 on every vCPU (FRED, or the kernel has not set it yet)");
}

// The handler that an IDT gate of long mode points to (Intel SDM volume 3, 6.14.1).
Result<Kva> GateTarget(const AddressSpace& space, Kva gate) {
  std::array<uint32_t, 4> words;
  KTSTR_TRY(space.Read(gate, std::as_writable_bytes(std::span(words))));
  return Kva((uint64_t{words[2]} << 32) | (words[1] & 0xffff0000) | (words[0] & 0xffff));
}

void TryIdt(const AddressSpace& space, std::span<const VcpuRegisters> vcpus,
            const LinkAddresses& link, DerivationLog& log) {
  std::string reason = "no vCPU has an IDT";
  for (const VcpuRegisters& vcpu : vcpus) {
    if (vcpu.idt.base == 0) continue;
    const auto target = GateTarget(space, Kva(vcpu.idt.base));
    if (!target) {
      reason = target.error().ToString();
      continue;
    }
    const auto handler = link.Of("asm_exc_divide_error");
    if (!handler) return log.None(kName, "idt", "the symbol asm_exc_divide_error is unknown");
    const uint64_t offset = target->value() - handler->value();
    if (offset % kAlignment != 0) {
      reason = "the IDT is not yet that of a booted kernel";
      continue;
    }
    return log.Found(kName, "idt", offset, link.source());
  }
  log.None(kName, "idt", reason);
}

void TryFirstText(const KernelPlace& place, const LinkAddresses& link, DerivationLog& log) {
  const auto text = link.Of("_text");
  if (!place.first_text || !text) {
    return log.None(kName, "cr3", "no page tables that map kernel text");
  }
  log.Found(kName, "cr3", place.first_text->value() - text->value(), link.source());
}

}  // namespace

std::optional<uint64_t> FindKaslrOffset(const KernelPlace& place, const AddressSpace& space,
                                        std::span<const VcpuRegisters> vcpus,
                                        const SymbolTable* run_time, const SymbolTable* link_time,
                                        DerivationLog& log) {
  const LinkAddresses link(place, run_time, link_time);
  const auto noted = place.vmcoreinfo ? place.vmcoreinfo->kernel_offset() : std::nullopt;
  if (noted) {
    log.Found(kName, "vmcoreinfo", *noted);
  } else {
    log.None(kName, "vmcoreinfo", "no KERNELOFFSET");
  }
  TryLstar(vcpus, link, log);
  TryIdt(space, vcpus, link, log);
  TryFirstText(place, link, log);
  return log.Choose(kName);
}

}  // namespace ktstr

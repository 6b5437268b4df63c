#include "libcore/kernel/guest_kernel.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "libcore/base/by_page.h"
#include "libcore/image/kallsyms_search.h"
#include "libcore/kernel/crash_notes.h"

namespace ktstr {

namespace {

// __PAGE_OFFSET_BASE_L4 and _L5 (arch/x86/include/asm/page_64_types.h): without RANDOMIZE_MEMORY.
constexpr Kva kPageOffset4Level{0xffff888000000000};
constexpr Kva kPageOffset5Level{0xff11000000000000};
// No kernel has more; NR_CPUS ends at 8192 on x86-64.
constexpr uint32_t kMaxCpus = 8192;
constexpr uint64_t kMaxBtf = uint64_t{256} << 20;
constexpr size_t kMaxCommandLine = 4096;

// So that who opens the archive of this machine need not scan memory for them.
void LogOthers(const KernelsInMemory& kernels, size_t instance, DerivationLog& log) {
  if (!kernels.all) return;
  log.Found("kernels", "scan", kernels.places.size());
  log.Choose("kernels");
  for (size_t i = 0; i < kernels.places.size(); ++i) {
    const auto& note = kernels.places[i].vmcoreinfo;
    if (i + 1 == instance || !note) continue;
    const std::string name = fmt::format("vmcoreinfo_pa_{}", i + 1);
    log.Found(name, "scan", note->pa().value(), "of another kernel");
    log.Choose(name);
  }
}

}  // namespace

// Types are large and not every question needs them.
struct GuestKernel::LazyTypes {
  std::once_flag once;
  std::optional<Result<TypeInfo>> types;
};

GuestKernel::GuestKernel(GuestMemory& memory, std::span<const VcpuRegisters> vcpus,
                         KernelPlace place, DerivationLog log)
    : memory_(&memory),
      vcpus_(vcpus.begin(), vcpus.end()),
      place_(std::move(place)),
      log_(std::move(log)),
      space_(memory, place_.root, place_.paging),
      types_(std::make_unique<LazyTypes>()) {
  if (place_.vmcoreinfo) {
    release_ = place_.vmcoreinfo->release();
    build_id_ = place_.vmcoreinfo->build_id();
  }
}

GuestKernel::~GuestKernel() = default;

Result<std::unique_ptr<GuestKernel>> GuestKernel::Open(GuestMemory& memory,
                                                       std::span<const VcpuRegisters> vcpus,
                                                       const GuestKernelOptions& options) {
  const KernelsInMemory kernels = KTSTR_TRY(FindKernels(memory, vcpus,
                                                        {.hints = options.vmcoreinfo_hints,
                                                         .hints_are_all = options.hints_are_all,
                                                         .at_least = options.instance}));
  if (options.instance < 1 || options.instance > kernels.places.size()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("there is no kernel {}: memory holds {}",
                                                         options.instance, kernels.places.size()));
  }
  KernelPlace place = kernels.places[options.instance - 1];
  DerivationLog log;
  LogPlace(memory, vcpus, &place, log);
  LogOthers(kernels, options.instance, log);
  std::unique_ptr<GuestKernel> kernel(
      new GuestKernel(memory, vcpus, std::move(place), std::move(log)));
  kernel->SetInstances(kernels, options.instance);
  KTSTR_TRY(kernel->LoadSymbols(options));
  KTSTR_TRY(kernel->FindPageOffset());
  kernel->saved_ = ReadCrashNotes(*kernel);
  return kernel;
}

void GuestKernel::SetInstances(const KernelsInMemory& kernels, size_t instance) {
  instance_ = instance;
  all_instances_known_ = kernels.all;
  std::vector<bool> is_others(vcpus_.size());
  for (const size_t i : kernels.elsewhere) is_others[i] = true;
  for (const KernelPlace& place : kernels.places) {
    KernelInstance known;
    if (place.vmcoreinfo) {
      known.release = place.vmcoreinfo->release();
      known.build_id = place.vmcoreinfo->build_id();
    }
    known.phys_base = place.phys_base;
    for (const size_t i : place.vcpus) {
      known.vcpus.push_back(vcpus_[i].cpu);
      is_others[i] = instances_.size() + 1 != instance;
    }
    known.running = place.running;
    known.crashed_at = place.crashed_at;
    instances_.push_back(std::move(known));
  }
  for (size_t i = 0; i < vcpus_.size(); ++i) {
    // With several kernels nobody knows whose a vCPU is that pages by tables of neither.
    const bool unclear = kernels.places.size() > 1 && (vcpus_[i].cr0 >> 31) != 0 &&
                         !InstanceOf(vcpus_[i]).has_value();
    if (!is_others[i] && !unclear) own_vcpus_.push_back(vcpus_[i]);
  }
}

std::optional<size_t> GuestKernel::InstanceOf(const VcpuRegisters& vcpu) const {
  for (size_t i = 0; i < instances_.size(); ++i) {
    const auto& vcpus = instances_[i].vcpus;
    if (std::find(vcpus.begin(), vcpus.end(), vcpu.cpu) != vcpus.end()) return i + 1;
  }
  return std::nullopt;
}

Status GuestKernel::LoadSymbols(const GuestKernelOptions& options) {
  if (!options.vmlinux.empty()) return LoadVmlinux(options.vmlinux);
  const auto& note = place_.vmcoreinfo;
  const auto told = note ? KallsymsTables::From(*note)
                         : Result<KallsymsTables>(Fail(ErrorCode::kNotFound, "no VMCOREINFO"));
  std::vector<KnownSymbol> known;
  for (const std::string_view name : {"_stext", "init_uts_ns"}) {
    const auto address = note ? note->Symbol(name) : std::nullopt;
    if (address) known.push_back({name, *address});
  }
  images_ = options.images;
  if (told && LoadImage(*told, known)) {
    // Nothing is left to do.
  } else if (told) {
    auto kallsyms = Kallsyms::Read(space_, *told, known);
    if (!kallsyms) {
      return Fail(std::move(kallsyms.error()).Wrap("reading the kernel's symbol table"));
    }
    symbols_ = std::move(kallsyms->symbols);
    decoded_ = {*told, kallsyms->extents};
  } else {
    KTSTR_TRY(SearchSymbols(std::move(known)));
  }
  kaslr_offset_ = FindKaslrOffset(place_, space_, own_vcpus_, &symbols_, nullptr, log_);
  return {};
}

// For a kernel that has not told yet where its symbols are, or never does.
Status GuestKernel::SearchSymbols(std::vector<KnownSymbol> known) {
  if (!place_.first_text) {
    return Fail(ErrorCode::kUnsupported, "no page tables lead to the kernel's image");
  }
  const auto ways = FindKallsyms(space_, *place_.first_text, kTextRangeEnd);
  if (!ways) {
    return Fail(Error(ErrorCode::kUnsupported,
                      "the kernel has no symbols that can be found; give its vmlinux file")
                    .Wrap(ways.error().ToString()));
  }
  if (known.empty()) known.push_back({"_text", *place_.first_text});
  std::string why;
  for (const KallsymsTables& tables : *ways) {
    auto kallsyms = Kallsyms::Read(space_, tables, known);
    if (!kallsyms) {
      why += (why.empty() ? "" : "; ") + kallsyms.error().ToString();
      continue;
    }
    log_.Found("kallsyms_names", "search", tables.names.value());
    log_.Choose("kallsyms_names");
    symbols_ = std::move(kallsyms->symbols);
    if (release_.empty()) ReadNames();
    return {};
  }
  return Fail(ErrorCode::kDamaged, "reading the kernel's symbol table, which was searched: " + why);
}

// What VMCOREINFO would have said of the kernel, out of its own variables.
void GuestKernel::ReadNames() {
  constexpr std::string_view kBanner = "Linux version ";
  constexpr size_t kMostBanner = 512;
  const auto banner = symbol_kva("linux_banner");
  const auto text = banner ? ReadString(*banner, kMostBanner) : Result<std::string>("");
  if (text && text->starts_with(kBanner)) {
    release_ = text->substr(kBanner.size(), text->find(' ', kBanner.size()) - kBanner.size());
  }
  // Zeros until init_vmlinux_build_id (lib/buildid.c).
  const auto id = ReadSymbol<std::array<uint8_t, 20>>("vmlinux_build_id");
  if (id && *id != std::array<uint8_t, 20>()) {
    build_id_ = fmt::format("{:02x}", fmt::join(*id, ""));
  }
}

Status GuestKernel::LoadVmlinux(const std::string& path) {
  Vmlinux vmlinux = KTSTR_TRY(Vmlinux::Read(path));
  if (!build_id_.empty() && !vmlinux.build_id.empty() && build_id_ != vmlinux.build_id) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} has build ID {}, but the guest runs {} with build ID {}", path,
                            vmlinux.build_id, release_, build_id_));
  }
  kaslr_offset_ = FindKaslrOffset(place_, space_, own_vcpus_, nullptr, &vmlinux.symbols, log_);
  if (!kaslr_offset_) {
    return Fail(ErrorCode::kNotFound, "no method tells how far KASLR moved the kernel");
  }
  SymbolTable::Builder builder;
  for (size_t i = 0; i < vmlinux.symbols.size(); ++i) {
    const Symbol symbol = vmlinux.symbols.at(i);
    // Zero-based per-CPU symbols and other absolute ones do not move.
    const bool moves = symbol.address >= kStartKernelMap.value();
    builder.Add(symbol.name, symbol.address + (moves ? *kaslr_offset_ : 0), symbol.type);
  }
  symbols_ = std::move(builder).Build();
  vmlinux_btf_ = std::move(vmlinux.btf);
  if (build_id_.empty()) build_id_ = vmlinux.build_id;
  return {};
}

Status GuestKernel::FindPageOffset() {
  constexpr const char* kName = "page_offset";
  direct_map_size_ = memory_->end().value();
  const bool five = place_.paging == PagingMode::kFiveLevel;
  const auto base = ReadSymbol<uint64_t>("page_offset_base");
  if (base) {
    log_.Found(kName, "page_offset_base", *base);
  } else {
    log_.Found(kName, "default", (five ? kPageOffset5Level : kPageOffset4Level).value(),
               base.error().ToString());
  }
  page_offset_ = Kva(*log_.Choose(kName));
  // The direct map's first page must lead to physical address 0.
  const auto first = space_.Translate(page_offset_);
  if (first && *first == Pa(0)) {
    log_.Found(kName, "page-tables", page_offset_.value());
    return {};
  }
  log_.None(kName, "page-tables",
            first ? fmt::format("{:#x} is mapped to {:#x}, not to 0", page_offset_.value(),
                                first->value())
                  : first.error().ToString());
  // Before setup_arch has made it there is none; what is mapped is found by the page tables.
  if (!place_.vmcoreinfo) {
    direct_map_size_ = 0;
    return {};
  }
  return Fail(ErrorCode::kDamaged, fmt::format("the kernel's direct map is not at {:#x}: {}",
                                               page_offset_.value(), log_.all().back().note));
}

Result<std::string> GuestKernel::CommandLine() const {
  return ReadString(KTSTR_TRY(ReadSymbol<Kva>("saved_command_line")), kMaxCommandLine);
}

Result<TypeInfo> GuestKernel::ReadTypes() const {
  if (!vmlinux_btf_.empty()) return TypeInfo::Parse(vmlinux_btf_);
  if (image_ != nullptr) {
    // A file that somebody has damaged is as good as none.
    auto types = ImageFile::Types(image_);
    if (types && *types) return **std::move(types);
  }
  const auto [begin, size] = KTSTR_TRY(BtfPlace(symbols_));
  std::vector<std::byte> raw(size);
  KTSTR_TRY(Read(begin, raw));
  return TypeInfo::Parse(std::move(raw));
}

Result<std::pair<Kva, uint64_t>> GuestKernel::BtfPlace(const SymbolTable& symbols) const {
  const Kva begin(KTSTR_TRY(symbols.Find("__start_BTF")).address);
  const Kva end(KTSTR_TRY(symbols.Find("__stop_BTF")).address);
  if (end <= begin || end - begin > kMaxBtf) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("BTF from {:#x} to {:#x} cannot be", begin.value(), end.value()));
  }
  return std::pair(begin, end - begin);
}

Result<const TypeInfo*> GuestKernel::types() const {
  std::call_once(types_->once, [this] { types_->types.emplace(ReadTypes()); });
  if (!*types_->types) {
    return Fail(Error(types_->types->error()).Wrap("reading the kernel's types (BTF)"));
  }
  return &**types_->types;
}

Result<Kva> GuestKernel::symbol_kva(std::string_view name) const {
  return Kva(KTSTR_TRY(symbols_.Find(name)).address);
}

Result<Pa> GuestKernel::direct_kva_to_pa(Kva kva) const {
  const uint64_t offset = kva - page_offset_;
  if (kva < page_offset_ || offset >= direct_map_size_) {
    return Fail(ErrorCode::kOutOfRange,
                fmt::format("{:#x} is outside the direct map [{:#x}, {:#x})", kva.value(),
                            page_offset_.value(), (page_offset_ + direct_map_size_).value()));
  }
  return Pa(offset);
}

Status GuestKernel::Read(Kva kva, std::span<std::byte> out) const {
  return ForEachPage(kva, out.size(), [&](Kva at, uint64_t size) {
    const auto pa = Translate(at);
    return pa ? memory_->Read(*pa, out.subspan(at - kva, size)) : Status(Fail(pa.error()));
  });
}

Status GuestKernel::Write(const Exclusive&, Kva kva, std::span<const std::byte> bytes) {
  // Every page is asked for before the first is changed.
  KTSTR_TRY(ForEachPage(kva, bytes.size(), [&](Kva at, uint64_t) -> Status {
    return memory_->CheckWritable(Pfn::Of(KTSTR_TRY(Translate(at))));
  }));
  return ForEachPage(kva, bytes.size(), [&](Kva at, uint64_t size) -> Status {
    return memory_->Write(KTSTR_TRY(Translate(at)), bytes.subspan(at - kva, size));
  });
}

Result<std::string> GuestKernel::ReadString(Kva kva, size_t max) const {
  std::string text;
  while (text.size() < max) {
    std::array<char, 256> buffer;
    const size_t to_page_end = kPageSize - kva.page_offset();
    const size_t chunk = std::min({buffer.size(), max - text.size(), to_page_end});
    KTSTR_TRY(Read(kva, std::as_writable_bytes(std::span(buffer).first(chunk))));
    const auto end = std::find(buffer.begin(), buffer.begin() + chunk, '\0');
    text.append(buffer.begin(), end);
    if (end != buffer.begin() + chunk) break;
    kva += chunk;
  }
  return text;
}

Result<uint32_t> GuestKernel::CpuCount() const {
  const auto count = KTSTR_TRY(ReadSymbol<uint32_t>("nr_cpu_ids"));
  if (count == 0 || count > kMaxCpus) {
    return Fail(ErrorCode::kDamaged, fmt::format("nr_cpu_ids is {}", count));
  }
  return count;
}

Result<Kva> GuestKernel::PerCpu(std::string_view symbol, uint32_t cpu) const {
  return PerCpu(KTSTR_TRY(symbol_kva(symbol)), cpu);
}

Result<Kva> GuestKernel::PerCpu(Kva symbol, uint32_t cpu) const {
  const auto offset = Read<uint64_t>(KTSTR_TRY(symbol_kva("__per_cpu_offset")) + uint64_t{cpu} * 8);
  if (!offset) return Fail(offset.error());
  // Slots of CPUs that cannot be are 0; slots past the array hold whatever follows it.
  if (cpu >= KTSTR_TRY(CpuCount()) || (*offset == 0 && cpu > 0)) {
    return Fail(ErrorCode::kOutOfRange, fmt::format("the kernel has no CPU {}", cpu));
  }
  return symbol + *offset;
}

}  // namespace ktstr

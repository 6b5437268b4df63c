#include "libcore/ops/per_cpu_field.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace ktstr {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kStructs = {{
    {"runqueues", "rq"},
    {"kernel_cpustat", "kernel_cpustat"},
    {"kstat", "kernel_stat"},
    {"tick_cpu_sched", "tick_sched"},
}};

OpResult<Kva> FindSymbol(const GuestKernel& kernel, std::string_view name) {
  const auto symbol = kernel.symbol_kva(name);
  if (symbol) return *symbol;
  return Refuse(OpErrorCode::kSymbolUnknown, OpLayer::kName, symbol.error().ToString());
}

}  // namespace

OpResult<std::string_view> PerCpuStructOf(std::string_view symbol) {
  for (const auto& [known, type] : kStructs) {
    if (known == symbol) return type;
  }
  return Refuse(OpErrorCode::kPerCpuSymbolUnknown, OpLayer::kName,
                "not a per-CPU structure that can be asked for; those are runqueues, "
                "kernel_cpustat, kstat and tick_cpu_sched");
}

OpResult<PerCpuFields::Area*> PerCpuFields::FindArea(const std::string& symbol) {
  const auto known = areas_.find(symbol);
  if (known != areas_.end()) return &known->second;
  const std::string_view type = KTSTR_TRY(PerCpuStructOf(symbol));
  MemberCache members = KTSTR_TRY(MemberCache::Open(kernel_, type));
  const Kva kva = KTSTR_TRY(FindSymbol(kernel_, symbol));
  if (!offsets_) {
    offsets_ = KTSTR_TRY(FindSymbol(kernel_, "__per_cpu_offset"));
    const auto count = kernel_.CpuCount();
    if (count) cpu_count_ = *count;
  }
  return &areas_.emplace(symbol, Area{kva, std::move(members)}).first->second;
}

OpResult<uint64_t> PerCpuFields::OffsetOfCpu(uint32_t cpu) {
  // What stands behind the array's end is no offset.
  if (cpu_count_ && cpu >= *cpu_count_) {
    return Refuse(OpErrorCode::kNoSuchCpu, OpLayer::kAddress,
                  fmt::format("the kernel has {} CPUs (nr_cpu_ids)", *cpu_count_));
  }
  const auto offset = kernel_.Read<uint64_t>(*offsets_ + uint64_t{cpu} * sizeof(uint64_t));
  if (!offset) return tl::make_unexpected(MemoryError(offset.error()));
  if (*offset == 0 && cpu > 0) {
    return Refuse(OpErrorCode::kNoSuchCpu, OpLayer::kAddress,
                  fmt::format("__per_cpu_offset[{}] is 0: the kernel has no such CPU", cpu));
  }
  return *offset;
}

OpResult<Located> PerCpuFields::Resolve(const PerCpuFieldTarget& target) {
  Area& area = *KTSTR_TRY(FindArea(target.symbol));
  const uint64_t offset = KTSTR_TRY(OffsetOfCpu(target.cpu));
  const Kva instance = area.symbol + offset;
  // Every per-CPU area lies in the direct map or above it (vmalloc): below is arithmetic gone
  // wrong, and what stands there would be taken for an answer.
  if (instance < kernel_.page_offset()) {
    return Refuse(
        OpErrorCode::kPerCpuBelowKernel, OpLayer::kAddress,
        fmt::format("its instance would be at {:#x} ({:#x} + __per_cpu_offset {:#x}), "
                    "below page_offset {:#x}",
                    instance.value(), area.symbol.value(), offset, kernel_.page_offset().value()));
  }
  const Member member = KTSTR_TRY(area.members.Find(target.field));
  return Located{instance + member.offset, member};
}

}  // namespace ktstr

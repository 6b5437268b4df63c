#include "libcore/archive/vcpu_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "libcore/archive/bytes.h"

namespace ktstr::archive {

namespace {

// Every field of a record, in the order of the file. The one place that knows it: both directions
// come by here.
template <typename Registers, typename Visit>
void ForEachField(Registers& v, Visit&& visit) {
  visit(v.cpu);
  for (auto& gpr : v.gpr) visit(gpr);
  visit(v.rip);
  visit(v.rflags);
  for (auto* segment : {&v.es, &v.cs, &v.ss, &v.ds, &v.fs, &v.gs, &v.ldt, &v.tr}) {
    visit(segment->selector);
    visit(segment->base);
    visit(segment->limit);
    visit(segment->attributes);
  }
  for (auto* table : {&v.gdt, &v.idt}) {
    visit(table->base);
    visit(table->limit);
  }
  for (auto* field : {&v.cr0, &v.cr2, &v.cr3, &v.cr4, &v.efer, &v.star, &v.lstar, &v.cstar,
                      &v.fmask, &v.kernel_gs_base, &v.tsc}) {
    visit(*field);
  }
  visit(v.halted);
}

// A bit for each RegisterGroup that there is.
constexpr uint32_t kKnownGroups = (uint32_t{2} << static_cast<int>(RegisterGroup::kHalted)) - 1;

enum class UnknownGroups { kLeaveOut, kPut };

void PutRecord(ByteSink& sink, const VcpuRegisters& vcpu, UnknownGroups unknown) {
  ForEachField(vcpu, [&sink](const auto& field) {
    using T = std::remove_cvref_t<decltype(field)>;
    if constexpr (std::is_same_v<T, bool>) {
      sink.Put<uint8_t>(field ? 1 : 0);
    } else {
      sink.Put<T>(field);
    }
  });
  if (unknown == UnknownGroups::kPut) sink.Put<uint32_t>(vcpu.unknown);
}

Status GetRecord(std::span<const std::byte> record, VcpuRegisters& vcpu) {
  ByteSource source(record);
  bool valid = true;
  ForEachField(vcpu, [&](auto& field) {
    using T = std::remove_cvref_t<decltype(field)>;
    if constexpr (std::is_same_v<T, bool>) {
      const uint8_t value = source.Get<uint8_t>();
      valid = valid && value <= 1;
      field = value != 0;
    } else {
      field = source.Get<T>();
    }
  });
  if (source.left() >= sizeof(uint32_t)) vcpu.unknown = source.Get<uint32_t>() & kKnownGroups;
  if (!source.ok() || !valid) {
    return Fail(ErrorCode::kDamaged, "a record of the vCPU registers is malformed");
  }
  return {};
}

}  // namespace

std::vector<std::byte> EncodeVcpus(std::span<const VcpuRegisters> vcpus) {
  const bool any = std::ranges::any_of(vcpus, [](const auto& vcpu) { return vcpu.unknown != 0; });
  const UnknownGroups unknown = any ? UnknownGroups::kPut : UnknownGroups::kLeaveOut;
  ByteSink records;
  PutRecord(records, VcpuRegisters(), unknown);
  const size_t record_size = records.size();
  ByteSink sink;
  sink.Put<uint32_t>(static_cast<uint32_t>(vcpus.size()));
  sink.Put<uint32_t>(static_cast<uint32_t>(record_size));
  for (const VcpuRegisters& vcpu : vcpus) PutRecord(sink, vcpu, unknown);
  return std::move(sink).Take();
}

Result<std::vector<VcpuRegisters>> DecodeVcpus(std::span<const std::byte> payload) {
  ByteSource source(payload);
  const uint64_t count = source.Get<uint32_t>();
  const uint64_t record_size = source.Get<uint32_t>();
  if (!source.ok() || (count > 0 && record_size == 0) || count * record_size != source.left()) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("the vCPU registers are {} bytes, not {} records of {} bytes",
                            source.left(), count, record_size));
  }
  std::vector<VcpuRegisters> vcpus;
  for (uint64_t i = 0; i < count; ++i) {
    VcpuRegisters vcpu;
    KTSTR_TRY(GetRecord(source.GetBytes(record_size), vcpu));
    vcpus.push_back(vcpu);
  }
  return vcpus;
}

}  // namespace ktstr::archive

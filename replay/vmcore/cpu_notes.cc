#include "replay/vmcore/cpu_notes.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "libcore/archive/bytes.h"

namespace ktstr::vmcore {

namespace {

using archive::ByteSink;
using archive::ByteSource;

// Of struct elf_prstatus: signals, IDs and times come before the registers, which are those of
// struct user_regs_struct (arch/x86/include/asm/user_64.h); whether there is a state of the FPU
// follows.
constexpr size_t kPidAt = 32, kRegistersAt = 112;

// user_regs_struct, in order: general registers by their number here.
constexpr std::array kFirst = {Gpr::kR15, Gpr::kR14, Gpr::kR13, Gpr::kR12, Gpr::kRbp,
                               Gpr::kRbx, Gpr::kR11, Gpr::kR10, Gpr::kR9,  Gpr::kR8,
                               Gpr::kRax, Gpr::kRcx, Gpr::kRdx, Gpr::kRsi, Gpr::kRdi};

uint64_t& Reg(VcpuRegisters& v, Gpr gpr) { return v.gpr[static_cast<size_t>(gpr)]; }

// QEMUCPUState has the general registers in this order.
constexpr std::array kQemuOrder = {Gpr::kRax, Gpr::kRbx, Gpr::kRcx, Gpr::kRdx, Gpr::kRsi, Gpr::kRdi,
                                   Gpr::kRsp, Gpr::kRbp, Gpr::kR8,  Gpr::kR9,  Gpr::kR10, Gpr::kR11,
                                   Gpr::kR12, Gpr::kR13, Gpr::kR14, Gpr::kR15};
constexpr uint32_t kQemuVersion = 1;
// Without kernel_gs_base, which QEMU 3.0 appended.
constexpr uint32_t kQemuOldSize = 432, kQemuSize = 440;

// Every field behind version and size, in order. The one place that knows it.
template <typename Registers, typename Word, typename Segment, typename Table>
void ForEachQemuField(Registers& v, Word&& word, Segment&& segment, Table&& table) {
  for (const Gpr gpr : kQemuOrder) word(v.gpr[static_cast<size_t>(gpr)]);
  word(v.rip);
  word(v.rflags);
  for (auto* s : {&v.cs, &v.ds, &v.es, &v.fs, &v.gs, &v.ss, &v.ldt, &v.tr}) segment(*s);
  for (auto* t : {&v.gdt, &v.idt}) table(*t);
}

}  // namespace

VcpuRegisters FromPrStatus(std::span<const std::byte> status, uint32_t cpu) {
  VcpuRegisters v;
  v.cpu = cpu;
  ByteSource source(status.subspan(kRegistersAt));
  const auto selector = [&source] { return static_cast<uint16_t>(source.Get<uint64_t>()); };
  for (const Gpr gpr : kFirst) Reg(v, gpr) = source.Get<uint64_t>();
  source.Get<uint64_t>();  // orig_ax
  v.rip = source.Get<uint64_t>();
  v.cs.selector = selector();
  v.rflags = source.Get<uint64_t>();
  Reg(v, Gpr::kRsp) = source.Get<uint64_t>();
  v.ss.selector = selector();
  v.fs.base = source.Get<uint64_t>();
  const uint64_t user_gs = source.Get<uint64_t>();
  v.ds.selector = selector();
  v.es.selector = selector();
  v.fs.selector = selector();
  v.gs.selector = selector();
  if (v.mode() == VcpuMode::kUser) {
    v.gs.base = user_gs;
    v.Forget(RegisterGroup::kKernelGsBase);
  } else {
    v.kernel_gs_base = user_gs;
    v.Forget(RegisterGroup::kGsBase);
  }
  for (const auto group :
       {RegisterGroup::kDescriptors, RegisterGroup::kControl, RegisterGroup::kSystemCalls,
        RegisterGroup::kTsc, RegisterGroup::kHalted}) {
    v.Forget(group);
  }
  return v;
}

std::vector<std::byte> ToPrStatus(const VcpuRegisters& v) {
  ByteSink sink;
  while (sink.size() < kPidAt) sink.Put<uint8_t>(0);
  sink.Put<uint32_t>(v.cpu + 1);  // as QEMU has it: debuggers take 0 for no thread
  while (sink.size() < kRegistersAt) sink.Put<uint8_t>(0);
  for (const Gpr gpr : kFirst) sink.Put<uint64_t>(v.reg(gpr));
  sink.Put<uint64_t>(v.reg(Gpr::kRax));  // orig_ax
  sink.Put<uint64_t>(v.rip);
  sink.Put<uint64_t>(v.cs.selector);
  sink.Put<uint64_t>(v.rflags);
  sink.Put<uint64_t>(v.reg(Gpr::kRsp));
  sink.Put<uint64_t>(v.ss.selector);
  sink.Put<uint64_t>(v.fs.base);
  sink.Put<uint64_t>(v.gs.base);
  for (const SegmentRegister* s : {&v.ds, &v.es, &v.fs, &v.gs}) sink.Put<uint64_t>(s->selector);
  sink.Put<uint64_t>(0);  // pr_fpvalid and padding
  return std::move(sink).Take();
}

Result<VcpuRegisters> FromQemuState(std::span<const std::byte> state, uint32_t cpu) {
  ByteSource source(state);
  const uint32_t version = source.Get<uint32_t>(), size = source.Get<uint32_t>();
  if (version != kQemuVersion || size < kQemuOldSize || size > state.size()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("QEMU's note of the registers of CPU {} is of version {} and {} bytes",
                            cpu, version, state.size()));
  }
  VcpuRegisters v;
  v.cpu = cpu;
  const auto word = [&source](uint64_t& field) { field = source.Get<uint64_t>(); };
  // Selector, limit, flags, padding, base.
  const auto segment = [&source](SegmentRegister& s) {
    s.selector = static_cast<uint16_t>(source.Get<uint32_t>());
    s.limit = source.Get<uint32_t>();
    s.attributes = source.Get<uint32_t>();
    source.Get<uint32_t>();
    s.base = source.Get<uint64_t>();
  };
  const auto table = [&source](DescriptorTable& t) {
    source.Get<uint32_t>();
    t.limit = source.Get<uint32_t>();
    source.Get<uint64_t>();
    t.base = source.Get<uint64_t>();
  };
  ForEachQemuField(v, word, segment, table);
  v.cr0 = source.Get<uint64_t>();
  source.Get<uint64_t>();  // cr1
  for (uint64_t* cr : {&v.cr2, &v.cr3, &v.cr4}) *cr = source.Get<uint64_t>();
  if (size >= kQemuSize) {
    v.kernel_gs_base = source.Get<uint64_t>();
  } else {
    v.Forget(RegisterGroup::kKernelGsBase);
  }
  for (const auto group :
       {RegisterGroup::kSystemCalls, RegisterGroup::kTsc, RegisterGroup::kHalted}) {
    v.Forget(group);
  }
  return v;
}

std::vector<std::byte> ToQemuState(const VcpuRegisters& v) {
  ByteSink sink;
  const bool old = !v.Knows(RegisterGroup::kKernelGsBase);
  sink.Put<uint32_t>(kQemuVersion);
  sink.Put<uint32_t>(old ? kQemuOldSize : kQemuSize);
  const auto word = [&sink](uint64_t field) { sink.Put<uint64_t>(field); };
  const auto segment = [&sink](const SegmentRegister& s) {
    sink.Put<uint32_t>(s.selector);
    sink.Put<uint32_t>(s.limit);
    sink.Put<uint32_t>(s.attributes);
    sink.Put<uint32_t>(0);
    sink.Put<uint64_t>(s.base);
  };
  const auto table = [&sink](const DescriptorTable& t) {
    sink.Put<uint32_t>(0);
    sink.Put<uint32_t>(t.limit);
    sink.Put<uint64_t>(0);
    sink.Put<uint64_t>(t.base);
  };
  ForEachQemuField(v, word, segment, table);
  for (const uint64_t cr : {v.cr0, uint64_t{0}, v.cr2, v.cr3, v.cr4}) sink.Put<uint64_t>(cr);
  if (!old) sink.Put<uint64_t>(v.kernel_gs_base);
  return std::move(sink).Take();
}

}  // namespace ktstr::vmcore

#include "capture/qemu/vcpu_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "capture/qemu/vmstate_stream.h"

namespace ktstr {

namespace {

// Reads registers out of a device's fields; remembers the first that was missing.
class FieldReader {
 public:
  explicit FieldReader(const DeviceSection& section) : section_(section) {}

  template <typename T>
  void Read(const std::string& name, T* value) {
    const auto found = section_.fields.find(name);
    if (found != section_.fields.end()) {
      *value = static_cast<T>(found->second);
    } else if (missing_.empty()) {
      missing_ = name;
    }
  }

  void Read(const std::string& name, SegmentRegister* segment) {
    Read(name + ".selector", &segment->selector);
    Read(name + ".base", &segment->base);
    Read(name + ".limit", &segment->limit);
    Read(name + ".flags", &segment->attributes);
  }

  void Read(const std::string& name, DescriptorTable* table) {
    Read(name + ".base", &table->base);
    Read(name + ".limit", &table->limit);
  }

  Status Complete() const {
    if (missing_.empty()) return {};
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the VMM's device state has no field '{}' for vCPU {}", missing_,
                            section_.instance));
  }

 private:
  const DeviceSection& section_;
  std::string missing_;
};

// The device "cpu" of target/i386/machine.c.
Status ReadRegisters(const DeviceSection& section, VcpuRegisters* vcpu) {
  FieldReader reader(section);
  vcpu->cpu = section.instance;
  for (size_t i = 0; i < vcpu->gpr.size(); ++i) {
    reader.Read(fmt::format("env.regs[{}]", i), &vcpu->gpr[i]);
  }
  reader.Read("env.eip", &vcpu->rip);
  reader.Read("env.eflags", &vcpu->rflags);
  SegmentRegister* const segments[] = {&vcpu->es, &vcpu->cs, &vcpu->ss,
                                       &vcpu->ds, &vcpu->fs, &vcpu->gs};
  for (size_t i = 0; i < std::size(segments); ++i) {
    reader.Read(fmt::format("env.segs[{}]", i), segments[i]);
  }
  reader.Read("env.ldt", &vcpu->ldt);
  reader.Read("env.tr", &vcpu->tr);
  reader.Read("env.gdt", &vcpu->gdt);
  reader.Read("env.idt", &vcpu->idt);
  reader.Read("env.cr[0]", &vcpu->cr0);
  reader.Read("env.cr[2]", &vcpu->cr2);
  reader.Read("env.cr[3]", &vcpu->cr3);
  reader.Read("env.cr[4]", &vcpu->cr4);
  reader.Read("env.efer", &vcpu->efer);
  reader.Read("env.star", &vcpu->star);
  reader.Read("env.lstar", &vcpu->lstar);
  reader.Read("env.cstar", &vcpu->cstar);
  reader.Read("env.fmask", &vcpu->fmask);
  reader.Read("env.kernelgsbase", &vcpu->kernel_gs_base);
  reader.Read("env.tsc", &vcpu->tsc);
  return reader.Complete();
}

const DeviceSection* FindSection(std::span<const DeviceSection> sections, std::string_view name,
                                 uint32_t instance) {
  const auto found = std::ranges::find_if(sections, [&](const DeviceSection& section) {
    return section.name == name && section.instance == instance;
  });
  return found == sections.end() ? nullptr : &*found;
}

// With TCG the time stamp counter is no register of the vCPU but the machine's stopped clock
// (cpu_get_tsc in QEMU's accel/tcg) plus the guest's own offset.
uint64_t TcgTimeStamp(std::span<const DeviceSection> sections, const DeviceSection& cpu) {
  const DeviceSection* timer = FindSection(sections, "timer", 0);
  if (timer == nullptr) return 0;
  const auto ticks = timer->fields.find("cpu_ticks_offset");
  if (ticks == timer->fields.end()) return 0;
  const auto offset = cpu.fields.find("env.tsc_offset");
  return ticks->second + (offset == cpu.fields.end() ? 0 : offset->second);
}

}  // namespace

Result<std::vector<VcpuRegisters>> ParseVcpus(std::span<const std::byte> device_state) {
  constexpr std::string_view kWanted[] = {"cpu", "cpu_common", "timer"};
  const auto sections = KTSTR_TRY(ParseDeviceSections(device_state, kWanted));
  std::vector<VcpuRegisters> vcpus;
  for (const DeviceSection& section : sections) {
    if (section.name != "cpu") continue;
    VcpuRegisters vcpu;
    KTSTR_TRY(ReadRegisters(section, &vcpu));
    if (vcpu.tsc == 0) vcpu.tsc = TcgTimeStamp(sections, section);
    if (const auto* common = FindSection(sections, "cpu_common", section.instance)) {
      const auto halted = common->fields.find("halted");
      vcpu.halted = halted != common->fields.end() && halted->second != 0;
    }
    vcpus.push_back(vcpu);
  }
  if (vcpus.empty()) {
    return Fail(ErrorCode::kUnsupported, "the VMM's device state holds no vCPUs");
  }
  std::ranges::sort(vcpus, {}, &VcpuRegisters::cpu);
  return vcpus;
}

}  // namespace ktstr

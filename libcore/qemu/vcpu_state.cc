// Layouts: vmstate_x86_cpu (target/i386/machine.c), vmstate_cpu_common (cpu.c; hw/core/cpu-system.c
// in newer QEMUs) and vmstate_timers (system/cpu-timers.c) in QEMU's sources. What stands in front
// in a layout of one version never changes, or QEMUs could not take machines over from each other;
// what is new is added behind.
#include "libcore/qemu/vcpu_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "libcore/qemu/device_sections.h"

namespace ktstr {

namespace {

constexpr uint32_t kCpuVersion = 12, kCpuCommonVersion = 1, kTimersVersion = 2;

// Takes big-endian numbers from the front of a device's contents.
class ContentsReader {
 public:
  explicit ContentsReader(const DeviceSection& section) : rest_(section.contents) {}

  template <typename T>
  void Read(T* value) {
    *value = static_cast<T>(Take(sizeof(T)));
  }
  // A number of `size` bytes in the stream.
  template <typename T>
  void Read(T* value, size_t size) {
    *value = static_cast<T>(Take(size));
  }
  void Read(SegmentRegister* segment) {
    Read(&segment->selector, 4);
    Read(&segment->base);
    Read(&segment->limit);
    Read(&segment->attributes);
  }
  void Read(DescriptorTable* table) {
    SegmentRegister segment;  // of which a table register has only these
    Read(&segment);
    *table = {segment.base, segment.limit};
  }
  void Skip(size_t size) {
    complete_ = complete_ && size <= rest_.size();
    rest_ = rest_.subspan(complete_ ? size : rest_.size());
  }

  // Whether there was as much as was taken.
  bool complete() const { return complete_; }

 private:
  uint64_t Take(size_t size) {
    const auto bytes = rest_;
    Skip(size);
    uint64_t value = 0;
    for (size_t i = 0; complete_ && i < size; ++i) {
      value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
    }
    return value;
  }

  std::span<const std::byte> rest_;
  bool complete_ = true;
};

// False when the section is too short. `tsc_offset` is what the guest has added to its time stamp.
bool ReadRegisters(const DeviceSection& section, VcpuRegisters* vcpu, uint64_t* tsc_offset) {
  ContentsReader reader(section);
  vcpu->cpu = section.instance;
  for (uint64_t& gpr : vcpu->gpr) reader.Read(&gpr);
  reader.Read(&vcpu->rip);
  reader.Read(&vcpu->rflags);
  constexpr size_t kHflags = 4, kFpuControl = 4 * 2, kFpuRegisters = 8 * 10;
  reader.Skip(kHflags + kFpuControl + kFpuRegisters);
  for (SegmentRegister* segment :
       {&vcpu->es, &vcpu->cs, &vcpu->ss, &vcpu->ds, &vcpu->fs, &vcpu->gs, &vcpu->ldt, &vcpu->tr}) {
    reader.Read(segment);
  }
  reader.Read(&vcpu->gdt);
  reader.Read(&vcpu->idt);
  constexpr size_t kSysenter = 4 + 8 + 8;
  reader.Skip(kSysenter);
  for (uint64_t* control : {&vcpu->cr0, &vcpu->cr2, &vcpu->cr3, &vcpu->cr4}) reader.Read(control);
  constexpr size_t kDebug = 8 * 8, kA20Mask = 4, kMxcsr = 4, kXmm = 16 * 16;
  reader.Skip(kDebug + kA20Mask + kMxcsr + kXmm);
  for (uint64_t* msr : {&vcpu->efer, &vcpu->star, &vcpu->lstar, &vcpu->cstar, &vcpu->fmask,
                        &vcpu->kernel_gs_base}) {
    reader.Read(msr);
  }
  constexpr size_t kSmbase = 4, kPat = 8, kHflags2 = 4, kSvmHostSave = 8, kSvmVmcb = 8;
  reader.Skip(kSmbase + kPat + kHflags2 + kSvmHostSave + kSvmVmcb);
  reader.Read(tsc_offset);
  constexpr size_t kIntercepts = 8 + 4 * 2 + 4, kVirtualTpr = 1;
  constexpr size_t kMtrr = 11 * 8 + 8 + 8 * 16, kInterruptInjected = 4, kMpState = 4;
  reader.Skip(kIntercepts + kVirtualTpr + kMtrr + kInterruptInjected + kMpState);
  reader.Read(&vcpu->tsc);
  return reader.complete();
}

Status CheckVersion(const DeviceSection& section, uint32_t known) {
  if (section.version == known) return {};
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format("the VMM's device state has device '{}' in version {}; this program knows "
                  "{}",
                  section.name, section.version, known));
}

Error TooShort(const DeviceSection& section) {
  return Error(ErrorCode::kDamaged,
               fmt::format("the VMM's device state is damaged: device '{}' has {} bytes",
                           section.name, section.contents.size()));
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
Result<uint64_t> TcgTimeStamp(std::span<const DeviceSection> sections, uint64_t tsc_offset) {
  const DeviceSection* timer = FindSection(sections, "timer", 0);
  if (timer == nullptr) return 0;
  KTSTR_TRY(CheckVersion(*timer, kTimersVersion));
  ContentsReader reader(*timer);
  uint64_t cpu_ticks_offset = 0;
  reader.Read(&cpu_ticks_offset);
  if (!reader.complete()) return Fail(TooShort(*timer));
  return cpu_ticks_offset + tsc_offset;
}

Result<bool> IsHalted(std::span<const DeviceSection> sections, uint32_t cpu) {
  const DeviceSection* common = FindSection(sections, "cpu_common", cpu);
  if (common == nullptr) return false;
  KTSTR_TRY(CheckVersion(*common, kCpuCommonVersion));
  ContentsReader reader(*common);
  uint32_t halted = 0;
  reader.Read(&halted);
  if (!reader.complete()) return Fail(TooShort(*common));
  return halted != 0;
}

}  // namespace

Result<std::vector<VcpuRegisters>> ParseVcpus(std::span<const std::byte> device_state) {
  const auto sections = KTSTR_TRY(SplitDeviceState(device_state));
  std::vector<VcpuRegisters> vcpus;
  for (const DeviceSection& section : sections) {
    if (section.name != "cpu") continue;
    KTSTR_TRY(CheckVersion(section, kCpuVersion));
    VcpuRegisters vcpu;
    uint64_t tsc_offset = 0;
    if (!ReadRegisters(section, &vcpu, &tsc_offset)) return Fail(TooShort(section));
    if (vcpu.tsc == 0) vcpu.tsc = KTSTR_TRY(TcgTimeStamp(sections, tsc_offset));
    vcpu.halted = KTSTR_TRY(IsHalted(sections, section.instance));
    vcpus.push_back(vcpu);
  }
  if (vcpus.empty()) {
    return Fail(ErrorCode::kUnsupported, "the VMM's device state holds no vCPUs");
  }
  std::ranges::sort(vcpus, {}, &VcpuRegisters::cpu);
  return vcpus;
}

}  // namespace ktstr

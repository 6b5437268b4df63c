// Where a member of a per-CPU structure lies: symbol + __per_cpu_offset[cpu] + offset of the
// member.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/ops/located.h"
#include "libcore/ops/member_cache.h"
#include "libcore/ops/op_error.h"
#include "libcore/ops/request.h"

namespace ktstr {

// The structure that a per-CPU variable is: runqueues is a struct rq, kernel_cpustat a struct
// kernel_cpustat, kstat a struct kernel_stat, tick_cpu_sched a struct tick_sched. Errors:
// kPerCpuSymbolUnknown for every other name.
OpResult<std::string_view> PerCpuStructOf(std::string_view symbol);

class PerCpuFields {
 public:
  explicit PerCpuFields(const GuestKernel& kernel) : kernel_(kernel) {}

  // The member, at its run-time address. A symbol's own value says what it is: below the kernel's
  // half an offset into each CPU's area (x86-64 before 6.15), else an address in the area's
  // template, to which KASLR is applied already; __per_cpu_offset fits either (mm/percpu.c,
  // arch/x86/kernel/setup_percpu.c).
  // Errors: kPerCpuSymbolUnknown, kSymbolUnknown, kTypesUnavailable, kTypeUnknown, kFieldUnknown,
  // kNoSuchCpu, kPerCpuBelowKernel, and those of reading __per_cpu_offset.
  OpResult<Located> Resolve(const PerCpuFieldTarget& target);

 private:
  struct Area {
    Kva symbol;
    MemberCache members;
  };
  OpResult<Area*> FindArea(const std::string& symbol);
  OpResult<uint64_t> OffsetOfCpu(uint32_t cpu);

  const GuestKernel& kernel_;
  std::map<std::string, Area> areas_;
  std::optional<Kva> offsets_;         // __per_cpu_offset
  std::optional<uint32_t> cpu_count_;  // nothing where the kernel does not tell
};

}  // namespace ktstr

#include "libcore/walk/system/cgroup_cpu.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/walk/cpu/cpu_mask.h"

namespace ktstr {

namespace {

// The member of struct cgroup that points to the controller's state (enum cgroup_subsys_id).
MaybeMember StateOf(const TypeInfo& types, const Fields& cgroup, const char* id) {
  const auto index = types.FindEnumerator(id);
  return index ? cgroup.Maybe(fmt::format("subsys[{}]", *index)) : std::nullopt;
}

// What cpu.weight shows of shares: scale_load_down, then sched_weight_to_cgroup
// (kernel/sched/sched.h, for 64 bits).
int64_t WeightOf(uint64_t shares) {
  constexpr uint64_t kDefaultWeight = 100, kDefaultShares = 1024, kMax = 10000;
  const uint64_t scaled = shares == 0 ? 0 : std::max<uint64_t>(2, shares >> 10);
  const uint64_t weight = (scaled * kDefaultWeight + kDefaultShares / 2) / kDefaultShares;
  return static_cast<int64_t>(std::clamp<uint64_t>(weight, 1, kMax));
}

constexpr uint64_t kNoLimit = ~uint64_t{0};  // RUNTIME_INF, kernel/sched/sched.h

}  // namespace

CgroupCpu::CgroupCpu(const Walk& walk) : walk_(walk), masks_(walk), cpus_(ListCpus(walk)) {
  const Fields cgroup(walk, "cgroup");
  cpu_css_ = StateOf(walk.types, cgroup, "cpu_cgrp_id");
  cpuset_css_ = StateOf(walk.types, cgroup, "cpuset_cgrp_id");
}

void CgroupCpu::Fill(CellReader& cgroup, CgroupRow& row) const {
  if (const auto css = cgroup.Pointer(cpu_css_); css && !css->is_null()) FillTaskGroup(*css, row);
  if (const auto css = cgroup.Pointer(cpuset_css_); css && !css->is_null()) FillCpuset(*css, row);
}

void CgroupCpu::FillTaskGroup(Kva css, CgroupRow& row) const {
  if (!group_.css) return;
  const Kva kva = css - group_.css->offset;
  row.task_group_kva = Hex(kva);
  CellReader group(walk_, kva, "a task group");
  if (const auto shares = group.Unsigned(group_.shares)) {
    row.shares = static_cast<int64_t>(*shares);
    row.weight = WeightOf(*shares);
  }
  columns_.Read(group, row);
  FillBandwidth(group, row);
}

void CgroupCpu::FillBandwidth(CellReader& group, CgroupRow& row) const {
  const auto quota = group.Unsigned(group_.quota);
  if (!quota) return;
  const bool limited = *quota != kNoLimit;
  if (limited) row.quota_ns = static_cast<int64_t>(*quota);
  if (row.period_ns) {
    row.cpu_max = fmt::format("{} {}", limited ? std::to_string(*quota / 1000) : "max",
                              *row.period_ns / 1000);
  }
  row.throttled_cpus = limited ? ThrottledCpus(group) : "";
}

std::optional<std::string> CgroupCpu::ThrottledCpus(CellReader& group) const {
  if (!queue_.throttled || cpus_.empty()) return std::nullopt;
  CpuMask throttled(cpus_.back().cpu / 64 + 1);
  for (const CpuRef& cpu : cpus_) {
    const auto queue = queues_.Of(group, cpu.cpu);
    if (!queue) return std::nullopt;
    CellReader object(walk_, *queue, "a task group's fair queue");
    const auto is_throttled = object.Integer(queue_.throttled);
    if (!is_throttled) return std::nullopt;
    if (*is_throttled != 0) throttled[cpu.cpu / 64] |= uint64_t{1} << (cpu.cpu % 64);
  }
  return ToList(throttled);
}

void CgroupCpu::FillCpuset(Kva css, CgroupRow& row) const {
  if (!set_.css) return;
  const Kva kva = css - set_.css->offset;
  row.cpuset_kva = Hex(kva);
  CellReader set(walk_, kva, "a cpuset");
  row.cpus = masks_.ListOf(set, set_.allowed);
  row.cpus_effective = masks_.ListOf(set, set_.effective);
}

}  // namespace ktstr

// CPUs: one row per run queue (struct rq, kernel/sched/sched.h).
#pragma once

#include <cstdint>
#include <optional>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/cpu/cpu_detail.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct CpuRow {
  int64_t cpu = 0;
  std::optional<int64_t> online;
  std::optional<int64_t> curr_pid;
  std::optional<std::string> curr_comm;
  std::optional<int64_t> nr_running, nr_switches, clock_ns;
  std::optional<int64_t> cfs_nr_running, rt_nr_running, dl_nr_running, scx_nr_running;
  std::optional<Hex> scx_flags;
  std::optional<Hex> curr_kva, rq_kva;
  std::optional<int64_t> idle_pid, stop_pid;
  std::optional<Hex> idle_kva, stop_kva;
  std::optional<int64_t> clock_task_ns, clock_behind_ns;
  std::optional<int64_t> donor_pid;
  std::optional<Hex> donor_kva;
  CpuServer fair_server, ext_server;
  CpuLoad load;
  CpuTick tick;
  CpuSchedstat schedstat;
  CpuScx scx;

  static const RowTable<CpuRow>& Table();
  friend bool operator==(const CpuRow&, const CpuRow&) = default;
};

// All possible CPUs. Errors: kNotFound and others of the kernel's types; the rest is an anomaly.
Result<Walked<CpuRow>> WalkCpus(const GuestKernel& kernel);

}  // namespace ktstr

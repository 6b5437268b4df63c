#include "capture/watch/sample_json.h"

#include <nlohmann/json.hpp>

namespace ktstr {

namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}
Json OrNull(const std::optional<Hex>& value) { return value ? Json(ToText(*value)) : Json(); }

Json ToJson(const std::optional<WaitingTask>& task) {
  if (!task) return nullptr;
  return {{"pid", OrNull(task->pid)},
          {"comm", OrNull(task->comm)},
          {"cpu", task->cpu},
          {"waiting_ms", OrNull(task->waiting_ms)}};
}

Json ToJson(const CpuSample& cpu) {
  return {{"cpu", cpu.cpu},
          {"online", OrNull(cpu.online)},
          {"pid", OrNull(cpu.pid)},
          {"comm", OrNull(cpu.comm)},
          {"class", OrNull(cpu.task_class)},
          {"nr_running", OrNull(cpu.nr_running)},
          {"cfs", OrNull(cpu.cfs)},
          {"rt", OrNull(cpu.rt)},
          {"dl", OrNull(cpu.dl)},
          {"scx", OrNull(cpu.scx)},
          {"local_dsq", OrNull(cpu.local_dsq)},
          {"nr_switches", OrNull(cpu.nr_switches)},
          {"switches_per_s", OrNull(cpu.switches_per_s)},
          {"clock_ns", OrNull(cpu.clock_ns)},
          {"clock_behind_ns", OrNull(cpu.clock_behind_ns)},
          {"scx_flags", OrNull(cpu.scx_flags)},
          {"scx_flag_names", OrNull(cpu.scx_flag_names)},
          {"torn", cpu.torn},
          {"oldest_waiting", ToJson(cpu.oldest)},
          {"oldest_waiting_torn", cpu.oldest_torn}};
}

Json ToJson(const ScxSample& scx) {
  Json dsqs = Json::array();
  for (const DsqSample& dsq : scx.dsqs) {
    dsqs.push_back({{"kind", dsq.kind},
                    {"dsq_id", OrNull(dsq.id)},
                    {"node", OrNull(dsq.node)},
                    {"scheduler", dsq.scheduler},
                    {"nr", OrNull(dsq.nr)}});
  }
  Json schedulers = Json::array();
  for (const SchedulerSample& scheduler : scx.schedulers) {
    schedulers.push_back({{"ops_name", OrNull(scheduler.ops_name)},
                          {"cgroup", OrNull(scheduler.cgroup)},
                          {"watchdog_timeout_ms", OrNull(scheduler.watchdog_timeout_ms)},
                          {"watchdog_margin_ms", OrNull(scheduler.watchdog_margin_ms)},
                          {"oldest_waiting", ToJson(scheduler.oldest)}});
  }
  return {{"ops_name", OrNull(scx.ops_name)},
          {"enable_state", OrNull(scx.enable_state)},
          {"watchdog_timeout_ms", OrNull(scx.watchdog_timeout_ms)},
          {"watchdog_margin_ms", OrNull(scx.watchdog_margin_ms)},
          {"oldest_waiting", ToJson(scx.oldest)},
          {"oldest_waiting_torn", scx.oldest_torn},
          {"schedulers", std::move(schedulers)},
          {"dsqs", std::move(dsqs)},
          {"torn", scx.torn}};
}

}  // namespace

std::string ToJsonLine(const WatchSample& sample) {
  Json cpus = Json::array();
  for (const CpuSample& cpu : sample.cpus) cpus.push_back(ToJson(cpu));
  const Json json = {{"release", sample.release},
                     {"uptime_ns", OrNull(sample.uptime_ns)},
                     {"run_state", OrNull(sample.run_state)},
                     {"scx", sample.scx ? ToJson(*sample.scx) : Json()},
                     {"cpus", std::move(cpus)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ktstr

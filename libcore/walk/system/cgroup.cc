#include "ktstr/walk/system/cgroup.h"

#include <fmt/format.h>

#include "ktstr/walk/cgroup_path.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/list.h"
#include "ktstr/walk/system/cgroup_cpu.h"
#include "ktstr/walk/system/cgroup_tree.h"

namespace ktstr {

namespace {

class CgroupWalker {
 public:
  explicit CgroupWalker(const Walk& walk) : walk_(walk), paths_(walk), cpu_(walk) {
    Fields cgroup(walk, "cgroup");
    level_ = cgroup.Need("level");
    kn_ = cgroup.Need("kn");
    flags_ = cgroup.Maybe("flags");
    css_flags_ = cgroup.Maybe("self.flags");
    freeze_ = cgroup.Maybe("freezer.freeze");
    populated_[0] = cgroup.Maybe("nr_populated_csets");
    populated_[1] = cgroup.Maybe("nr_populated_domain_children");
    populated_[2] = cgroup.Maybe("nr_populated_threaded_children");
    cset_links_ = cgroup.Need("cset_links");
    usage_ = cgroup.Maybe("bstat.cputime.sum_exec_runtime");
    user_ = cgroup.Maybe("bstat.cputime.utime");
    system_ = cgroup.Maybe("bstat.cputime.stime");
    node_id_ = Fields(walk, "kernfs_node").Maybe("id", "id.id");
    Fields link(walk, "cgrp_cset_link");
    link_node_ = link.Need("cset_link");
    link_set_ = link.Need("cset");
    set_tasks_ = Fields(walk, "css_set").Need("nr_tasks");
    frozen_bit_ = Bit(walk.types, "CGRP_FROZEN");
    if (const auto online = walk.types.FindEnumerator("CSS_ONLINE")) online_mask_ = *online;
  }

  CgroupRow Read(const CgroupRef& ref) {
    CellReader cgroup(walk_, ref.cgroup, "a cgroup");
    CgroupRow row;
    row.cgroup_kva = Hex(ref.cgroup);
    if (ref.parent) row.parent_kva = Hex(*ref.parent);
    row.hierarchy = ref.hierarchy;
    row.path = paths_.PathOf(ref.cgroup);
    row.id = IdOf(cgroup);
    row.level = cgroup.Integer(level_);
    row.online = Masked(cgroup, css_flags_, online_mask_);
    row.nr_tasks = CountTasks(ref.cgroup);
    row.populated = IsPopulated(cgroup);
    row.freeze = cgroup.Integer(freeze_);
    row.frozen = Masked(cgroup, flags_, frozen_bit_);
    cpu_.Fill(cgroup, row);
    // Only the default hierarchy counts, and not for its root.
    if (ref.hierarchy == 0 && ref.parent) {
      row.usage_ns = cgroup.Integer(usage_);
      row.user_ns = cgroup.Integer(user_);
      row.system_ns = cgroup.Integer(system_);
    }
    return row;
  }

 private:
  static std::optional<int64_t> Bit(const TypeInfo& types, const char* name) {
    const auto bit = types.FindEnumerator(name);
    return bit && *bit >= 0 && *bit < 63 ? std::optional(int64_t{1} << *bit) : std::nullopt;
  }

  // 1 when the member has one of the mask's bits set.
  static std::optional<int64_t> Masked(CellReader& object, const MaybeMember& member,
                                       std::optional<int64_t> mask) {
    if (!mask) return std::nullopt;
    const auto value = object.Integer(member);
    return value ? std::optional<int64_t>((*value & *mask) != 0 ? 1 : 0) : std::nullopt;
  }

  std::optional<Hex> IdOf(CellReader& cgroup) {
    const auto node = cgroup.Pointer(kn_);
    if (!node || node->is_null()) return std::nullopt;
    return CellReader(walk_, *node, "a cgroup's kernfs_node").HexOf(node_id_);
  }

  // Tasks are counted by the sets that share one cgroup of each hierarchy.
  std::optional<int64_t> CountTasks(Kva cgroup) {
    if (!cset_links_ || !link_node_ || !link_set_ || !set_tasks_) return std::nullopt;
    const size_t before = walk_.anomalies.rows().size();
    int64_t tasks = 0;
    for (const Kva node : WalkList(walk_, cgroup + cset_links_->offset,
                                   fmt::format("css_sets of cgroup {:#x}", cgroup.value()))) {
      CellReader link(walk_, node - link_node_->offset, "a cgrp_cset_link");
      const auto set = link.Pointer(link_set_);
      if (!set) continue;
      const auto count = CellReader(walk_, *set, "a css_set").Integer(set_tasks_);
      if (count) tasks += *count;
    }
    // A sum that lacks something is none.
    return walk_.anomalies.rows().size() == before ? std::optional(tasks) : std::nullopt;
  }

  std::optional<int64_t> IsPopulated(CellReader& cgroup) const {
    int64_t populated = 0;
    for (const MaybeMember& member : populated_) {
      const auto count = cgroup.Integer(member);
      if (!count) return std::nullopt;
      populated += *count;
    }
    return populated != 0 ? 1 : 0;
  }

  Walk walk_;
  CgroupPaths paths_;
  CgroupCpu cpu_;
  MaybeMember level_, kn_, flags_, css_flags_, freeze_, cset_links_, usage_, user_, system_;
  MaybeMember populated_[3];
  MaybeMember node_id_, link_node_, link_set_, set_tasks_;
  std::optional<int64_t> frozen_bit_, online_mask_;
};

}  // namespace

const RowTable<CgroupRow>& CgroupRow::Table() {
  using R = CgroupRow;
  static const RowTable<R> table(
      "cgroup",
      "The cgroups of the default hierarchy (v2), and of the v1 hierarchies with cpu or cpuset.",
      {
          Col<&R::path>("path", "", "Path in its hierarchy; / is the root."),
          Col<&R::id>("id", "", "Its id, as BPF and name_to_handle_at tell it."),
          Col<&R::hierarchy>("hierarchy", "", "As in /proc/cgroups; 0 is the default one."),
          Col<&R::level>("level", "", "Depth in the tree, 0 for the root."),
          Col<&R::online>("online", "", "0 when it was removed and only references keep it."),
          Col<&R::nr_tasks>("nr_tasks", "", "Threads that are in it itself."),
          Col<&R::populated>("populated", "", "1 when it or a cgroup below has a live process."),
          Col<&R::freeze>("freeze", "", "1 when cgroup.freeze asks to freeze it."),
          Col<&R::frozen>("frozen", "", "1 when all of its tasks are frozen."),
          Col<&R::weight>(
              "weight", "",
              "As cpu.weight shows it (at least 1); NULL where the controller cpu is not enabled."),
          Col<&R::shares>("shares", "", "The task group's shares, raw; 1048576 is weight 100."),
          Col<&R::idle>("idle", "", "cpu.idle: 1 for SCHED_IDLE."),
          Col<&R::scx_weight>("scx_weight", "", "The weight that sched_ext schedulers are told."),
          Col<&R::cpu_max>("cpu_max", "", "As cpu.max shows it: quota and period in us."),
          Col<&R::quota_ns>("quota_ns", "ns", "CPU time for each period; NULL is also no limit."),
          Col<&R::period_ns>("period_ns", "ns", "The period of the quota."),
          Col<&R::burst_ns>("burst_ns", "ns", "What unused quota may add up to."),
          Col<&R::nr_periods>("nr_periods", "", "Periods in which a quota was in force."),
          Col<&R::nr_throttled>("nr_throttled", "", "Periods in which it was throttled."),
          Col<&R::throttled_ns>("throttled_ns", "ns", "Throttled time, all CPUs added up."),
          Col<&R::throttled_cpus>("throttled_cpus", "",
                                  "CPUs on which its own queue is throttled now."),
          Col<&R::cpus>("cpus", "", "cpuset.cpus as asked for; empty: as the parent."),
          Col<&R::cpus_effective>("cpus_effective", "", "The CPUs that its tasks may use."),
          Col<&R::usage_ns>("usage_ns", "ns",
                            "CPU time of it and those below, as last flushed: what ran since "
                            "somebody last read its cpu.stat may be missing."),
          Col<&R::user_ns>("user_ns", "ns",
                           "User time by ticks, as last flushed; cpu.stat scales it to the usage."),
          Col<&R::system_ns>("system_ns", "ns", "System time, likewise."),
          Col<&R::cgroup_kva>("cgroup_kva", "", "Address of the struct cgroup."),
          Col<&R::parent_kva>("parent_kva", "", "Address of the parent's; NULL for a root."),
          Col<&R::task_group_kva>("task_group_kva", "", "Address of its task_group."),
          Col<&R::cpuset_kva>("cpuset_kva", "", "Address of its cpuset."),
      });
  return table;
}

Result<Walked<CgroupRow>> WalkCgroups(const GuestKernel& kernel, const WalkLimits& limits) {
  Anomalies anomalies("cgroup");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  Walked<CgroupRow> walked;
  const auto cgroups = ListCgroups(walk);
  if (!cgroups.empty()) {
    CgroupWalker walker(walk);
    for (const CgroupRef& cgroup : cgroups) walked.rows.push_back(walker.Read(cgroup));
  }
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr

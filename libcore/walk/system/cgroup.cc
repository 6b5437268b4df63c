#include "libcore/walk/system/cgroup.h"

#include <fmt/format.h>

#include "libcore/walk/container/list.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/system/cgroup_cpu.h"
#include "libcore/walk/system/cgroup_path.h"
#include "libcore/walk/system/cgroup_tree.h"

namespace ktstr {

namespace {

struct CgroupMembers : Fields {
  explicit CgroupMembers(const Walk& walk) : Fields(walk, "cgroup") {}
  MaybeMember kn = Need("kn"), flags = Maybe("flags"), css_flags = Maybe("self.flags"),
              // 7.2 moved these into the css, where children of both kinds are counted together.
      populated_csets = Maybe("nr_populated_csets", "self.nr_populated_csets"),
              populated_children = Maybe("self.nr_populated_children"),
              populated_domain_children = Maybe("nr_populated_domain_children"),
              populated_threaded_children = Maybe("nr_populated_threaded_children"),
              cset_links = Need("cset_links"), usage = Maybe("bstat.cputime.sum_exec_runtime"),
              user = Maybe("bstat.cputime.utime"), system = Maybe("bstat.cputime.stime");
};

struct KernfsMembers : Fields {
  explicit KernfsMembers(const Walk& walk) : Fields(walk, "kernfs_node") {}
  MaybeMember id = Maybe("id", "id.id");
};

struct LinkMembers : Fields {
  explicit LinkMembers(const Walk& walk) : Fields(walk, "cgrp_cset_link") {}
  MaybeMember node = Need("cset_link"), set = Need("cset");
};

struct SetMembers : Fields {
  explicit SetMembers(const Walk& walk) : Fields(walk, "css_set") {}
  MaybeMember tasks = Need("nr_tasks");
};

class CgroupWalker {
 public:
  explicit CgroupWalker(const Walk& walk) : walk_(walk), paths_(walk), cpu_(walk) {
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
    columns_.Read(cgroup, row);
    row.online = Masked(cgroup, cgroup_.css_flags, online_mask_);
    row.nr_tasks = CountTasks(ref.cgroup);
    row.populated = IsPopulated(cgroup);
    row.frozen = Masked(cgroup, cgroup_.flags, frozen_bit_);
    cpu_.Fill(cgroup, row);
    // Only the default hierarchy counts, and not for its root.
    if (ref.hierarchy == 0 && ref.parent) {
      row.usage_ns = cgroup.Integer(cgroup_.usage);
      row.user_ns = cgroup.Integer(cgroup_.user);
      row.system_ns = cgroup.Integer(cgroup_.system);
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
    const auto node = cgroup.Pointer(cgroup_.kn);
    if (!node || node->is_null()) return std::nullopt;
    return CellReader(walk_, *node, "a cgroup's kernfs_node").HexOf(node_.id);
  }

  // Tasks are counted by the sets that share one cgroup of each hierarchy.
  std::optional<int64_t> CountTasks(Kva cgroup) {
    if (!cgroup_.cset_links || !link_.node || !link_.set || !set_.tasks) return std::nullopt;
    const size_t before = walk_.anomalies.rows().size();
    int64_t tasks = 0;
    for (const Kva node : WalkList(walk_, cgroup + cgroup_.cset_links->offset,
                                   fmt::format("css_sets of cgroup {:#x}", cgroup.value()))) {
      CellReader link(walk_, node - link_.node->offset, "a cgrp_cset_link");
      const auto set = link.Pointer(link_.set);
      if (!set) continue;
      const auto count = CellReader(walk_, *set, "a css_set").Integer(set_.tasks);
      if (count) tasks += *count;
    }
    // A sum that lacks something is none.
    return walk_.anomalies.rows().size() == before ? std::optional(tasks) : std::nullopt;
  }

  std::optional<int64_t> IsPopulated(CellReader& cgroup) const {
    const auto csets = cgroup.Integer(cgroup_.populated_csets);
    const auto children = PopulatedChildren(cgroup);
    if (!csets || !children) return std::nullopt;
    return *csets + *children != 0 ? 1 : 0;
  }

  std::optional<int64_t> PopulatedChildren(CellReader& cgroup) const {
    if (cgroup_.populated_children) return cgroup.Integer(cgroup_.populated_children);
    const auto domain = cgroup.Integer(cgroup_.populated_domain_children);
    const auto threaded = cgroup.Integer(cgroup_.populated_threaded_children);
    if (!domain || !threaded) return std::nullopt;
    return *domain + *threaded;
  }

  Walk walk_;
  CgroupMembers cgroup_{walk_};
  KernfsMembers node_{walk_};
  LinkMembers link_{walk_};
  SetMembers set_{walk_};
  RowReader<CgroupRow> columns_{walk_};
  CgroupPaths paths_;
  CgroupCpu cpu_;
  std::optional<int64_t> frozen_bit_, online_mask_;
};

}  // namespace

const RowTable<CgroupRow>& CgroupRow::Table() {
  using R = CgroupRow;
  static const RowTable<R> table(
      "cgroup",
      "The cgroups of the default hierarchy (v2), and of the v1 hierarchies with cpu or cpuset.",
      Structure{"cgroup"},
      {
          Col<&R::path>("path", "", "Path in its hierarchy; / is the root."),
          Col<&R::id>("id", "", "Its id, as BPF and name_to_handle_at tell it."),
          Col<&R::hierarchy>("hierarchy", "", "As in /proc/cgroups; 0 is the default one."),
          ReadCol<&R::level>("level", "", "Depth in the tree, 0 for the root.", At("level")),
          Col<&R::online>("online", "", "0 when it was removed and only references keep it."),
          Col<&R::nr_tasks>("nr_tasks", "", "Threads that are in it itself."),
          Col<&R::populated>("populated", "", "1 when it or a cgroup below has a live process."),
          ReadCol<&R::freeze>("freeze", "", "1 when cgroup.freeze asks to freeze it.",
                              MaybeAt("freezer.freeze")),
          Col<&R::frozen>("frozen", "", "1 when all of its tasks are frozen."),
          Col<&R::weight>(
              "weight", "",
              "As cpu.weight shows it (at least 1); NULL where the controller cpu is not enabled."),
          Col<&R::shares>("shares", "", "The task group's shares, raw; 1048576 is weight 100."),
          ReadCol<&R::idle>("idle", "", "cpu.idle: 1 for SCHED_IDLE.",
                            MaybeAt("idle").Of("task_group")),
          ReadCol<&R::scx_weight>("scx_weight", "",
                                  "The weight that sched_ext schedulers are told.",
                                  MaybeAt("scx.weight", "scx_weight").Of("task_group")),
          Col<&R::cpu_max>("cpu_max", "", "As cpu.max shows it: quota and period in us."),
          Col<&R::quota_ns>("quota_ns", "ns", "CPU time for each period; NULL is also no limit."),
          ReadCol<&R::period_ns>("period_ns", "ns", "The period of the quota.",
                                 MaybeAt("cfs_bandwidth.period").Of("task_group")),
          ReadCol<&R::burst_ns>("burst_ns", "ns", "What unused quota may add up to.",
                                MaybeAt("cfs_bandwidth.burst").Of("task_group")),
          ReadCol<&R::nr_periods>("nr_periods", "", "Periods in which a quota was in force.",
                                  MaybeAt("cfs_bandwidth.nr_periods").Of("task_group")),
          ReadCol<&R::nr_throttled>("nr_throttled", "", "Periods in which it was throttled.",
                                    MaybeAt("cfs_bandwidth.nr_throttled").Of("task_group")),
          ReadCol<&R::throttled_ns>("throttled_ns", "ns", "Throttled time, all CPUs added up.",
                                    MaybeAt("cfs_bandwidth.throttled_time").Of("task_group")),
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

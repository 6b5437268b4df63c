#include "libcore/walk/system/sched_domain.h"

#include <fmt/format.h>

#include <cctype>
#include <unordered_set>

#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/cpu/cpu_mask_var.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/system/clock.h"

namespace ktstr {

namespace {

constexpr size_t kMaxName = 64;

// The flags of domains (include/linux/sched/sd_flags.h, with the names of older kernels). Their
// enum has no name, so BTF is asked for each; a kernel that lacks one lacks the bit.
constexpr const char* kFlagNames[] = {"SD_BALANCE_NEWIDLE",
                                      "SD_BALANCE_EXEC",
                                      "SD_BALANCE_FORK",
                                      "SD_BALANCE_WAKE",
                                      "SD_WAKE_AFFINE",
                                      "SD_ASYM_CPUCAPACITY",
                                      "SD_ASYM_CPUCAPACITY_FULL",
                                      "SD_SHARE_CPUCAPACITY",
                                      "SD_CLUSTER",
                                      "SD_SHARE_LLC",
                                      "SD_SHARE_PKG_RESOURCES",
                                      "SD_SERIALIZE",
                                      "SD_ASYM_PACKING",
                                      "SD_PREFER_SIBLING",
                                      "SD_OVERLAP",
                                      "SD_NUMA"};

class DomainFlags {
 public:
  explicit DomainFlags(const TypeInfo& types) {
    for (const char* name : kFlagNames) {
      if (const auto value = types.FindEnumerator(name)) known_.push_back({Shown(name), *value});
    }
  }

  // Nothing for a kernel whose BTF does not have the names.
  std::optional<std::string> NamesOf(uint64_t value) const {
    if (known_.empty()) return std::nullopt;
    std::string text;
    for (const auto& [name, flag] : known_) {
      const auto bit = static_cast<uint64_t>(flag);
      if ((value & bit) == 0) continue;
      text += (text.empty() ? "" : "|") + name;
      value &= ~bit;
    }
    if (value != 0) text += fmt::format("{}{:#x}", text.empty() ? "" : "|", value);
    return text;
  }

 private:
  static std::string Shown(std::string_view name) {
    std::string shown;
    for (const char c : name.substr(3)) {
      shown += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return shown;
  }

  std::vector<std::pair<std::string, int64_t>> known_;
};

struct RqDomainMembers : Fields {
  explicit RqDomainMembers(const Walk& walk) : Fields(walk, "rq") {}
  MaybeMember sd = Maybe("sd");
};

struct DomainMembers : Fields {
  explicit DomainMembers(const Walk& walk) : Fields(walk, "sched_domain") {}
  MaybeMember parent = Need("parent"), groups = Need("groups"), span = Maybe("span"),
              flags = Need("flags"), name = Maybe("name"), last_balance = Maybe("last_balance");
};

struct GroupMembers : Fields {
  explicit GroupMembers(const Walk& walk) : Fields(walk, "sched_group") {}
  MaybeMember next = Need("next"), weight = Maybe("group_weight");
};

// Where the mask of the domain's CPUs is. Until 7.0 a flexible array of that name marked it; since
// then nothing in the structure does, and it begins where the structure ends.
MaybeMember SpanOf(const Walk& walk, const DomainMembers& domain) {
  if (domain.span) return domain.span;
  const auto size = walk.types.SizeOf("sched_domain");
  if (!size) return std::nullopt;
  return Member{.offset = *size, .kind = TypeKind::kArray};
}

class DomainWalker {
 public:
  explicit DomainWalker(const Walk& walk)
      : walk_(walk),
        flag_names_(walk.types),
        masks_(walk),
        clock_(ReadKernelClock(walk.kernel, walk.anomalies)) {}

  void Run(const CpuRef& cpu, std::vector<SchedDomainRow>& rows) {
    if (!rq_.sd || !domain_.parent) return;
    CellReader rq(walk_, cpu.rq, "a run queue");
    std::optional<Kva> sd = rq.Pointer(rq_.sd);
    std::unordered_set<uint64_t> visited;
    for (int64_t level = 0; sd && !sd->is_null(); ++level) {
      if (visited.size() >= walk_.limits.max_nodes) {
        walk_.anomalies.Add(
            "cap", *sd,
            fmt::format("domains of CPU {}: stopped after {}", cpu.cpu, walk_.limits.max_nodes));
        return;
      }
      if (!visited.insert(sd->value()).second) {
        walk_.anomalies.Add(
            "cycle", *sd, fmt::format("domains of CPU {}: a domain is its own ancestor", cpu.cpu));
        return;
      }
      CellReader domain(walk_, *sd, "a scheduling domain");
      sd = domain.Pointer(domain_.parent);
      // What cannot be read at all is no domain.
      if (sd) rows.push_back(RowOf(cpu.cpu, level, domain));
    }
  }

 private:
  SchedDomainRow RowOf(uint32_t cpu, int64_t level, CellReader& domain) {
    SchedDomainRow row;
    row.cpu = cpu;
    row.level = level;
    row.sd_kva = Hex(domain.object().base());
    row.name = NameOf(domain);
    if (const auto flags = domain.Unsigned(domain_.flags)) {
      row.flags = Hex(*flags & 0xffffffff);
      row.flag_names = flag_names_.NamesOf(*flags & 0xffffffff);
    }
    row.span = masks_.ListOf(domain, span_);
    columns_.Read(domain, row);
    CountGroups(domain, row);
    const auto last_balance = domain.Integer(domain_.last_balance);
    if (last_balance) row.since_balance_ns = clock_.NsSince(*last_balance);
    return row;
  }

  std::optional<std::string> NameOf(CellReader& domain) {
    const auto at = domain.Pointer(domain_.name);
    if (!at || at->is_null()) return std::nullopt;
    auto name = walk_.kernel.ReadString(*at, kMaxName);
    if (name) return *std::move(name);
    domain.Report(name.error());
    return std::nullopt;
  }

  // The groups are a ring; the first is the one that the CPU is in.
  void CountGroups(CellReader& domain, SchedDomainRow& row) {
    const auto first = domain.Pointer(domain_.groups);
    if (!first || first->is_null() || !group_.next) return;
    std::unordered_set<uint64_t> visited;
    std::optional<Kva> group = first;
    while (group && visited.size() < walk_.limits.max_nodes &&
           visited.insert(group->value()).second) {
      CellReader object(walk_, *group, "a scheduling group");
      if (visited.size() == 1) row.group_weight = object.Integer(group_.weight);
      group = object.Pointer(group_.next);
    }
    if (group == first) {
      row.groups = static_cast<int64_t>(visited.size());
    } else if (group) {
      const bool is_cycle = visited.contains(group->value());
      walk_.anomalies.Add(
          is_cycle ? "cycle" : "cap", *group,
          fmt::format("the ring of groups of domain {:#x} does not lead back to its "
                      "first after {}",
                      domain.object().base().value(), visited.size()));
    }
  }

  Walk walk_;
  RqDomainMembers rq_{walk_};
  DomainMembers domain_{walk_};
  MaybeMember span_ = SpanOf(walk_, domain_);
  GroupMembers group_{walk_};
  RowReader<SchedDomainRow> columns_{walk_};
  DomainFlags flag_names_;
  CpuMaskVars masks_;
  KernelClock clock_;
};

}  // namespace

const RowTable<SchedDomainRow>& SchedDomainRow::Table() {
  using R = SchedDomainRow;
  static const RowTable<R> table(
      "sched_domain", "The domains within which each CPU's load is balanced, smallest first.",
      Structure{"sched_domain"},
      {
          Col<&R::cpu>("cpu", "", "CPU whose domain it is."),
          Col<&R::level>("level", "", "From 0, the smallest domain, as in /proc/schedstat."),
          Col<&R::name>("name", "", "Such as SMT, MC, NUMA; NULL for a kernel that keeps none."),
          Col<&R::flags>("flags", "", "The SD_ flags, raw."),
          Col<&R::flag_names>("flag_names", "", "The same by name."),
          Col<&R::span>("span", "", "CPUs that it spans."),
          ReadCol<&R::span_weight>("span_weight", "", "How many these are.",
                                   MaybeAt("span_weight")),
          Col<&R::groups>("groups", "", "Groups of CPUs among which it balances."),
          Col<&R::group_weight>("group_weight", "", "CPUs in the group that this CPU is in."),
          ReadCol<&R::min_interval_ms>("min_interval_ms", "ms", "Shortest time between balancing.",
                                       MaybeAt("min_interval")),
          ReadCol<&R::max_interval_ms>("max_interval_ms", "ms", "Longest time between balancing.",
                                       MaybeAt("max_interval")),
          ReadCol<&R::balance_interval_ms>("balance_interval_ms", "ms", "The time at present.",
                                           MaybeAt("balance_interval")),
          ReadCol<&R::imbalance_pct>("imbalance_pct", "%", "From which imbalance on it acts.",
                                     MaybeAt("imbalance_pct")),
          ReadCol<&R::nr_balance_failed>("nr_balance_failed", "",
                                         "Failures to balance since the last success.",
                                         MaybeAt("nr_balance_failed")),
          Col<&R::since_balance_ns>("since_balance_ns", "ns",
                                    "Since it was balanced last, in steps of a tick."),
          Col<&R::sd_kva>("sd_kva", "", "Address of the struct sched_domain."),
      });
  return table;
}

Result<Walked<SchedDomainRow>> WalkSchedDomains(const GuestKernel& kernel,
                                                const WalkLimits& limits) {
  Anomalies anomalies("sched_domain");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  Walked<SchedDomainRow> walked;
  // A kernel for one CPU has no domains.
  if (!RqDomainMembers(walk).sd) return walked;
  DomainWalker walker(walk);
  for (const CpuRef& cpu : ListCpus(walk)) walker.Run(cpu, walked.rows);
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr

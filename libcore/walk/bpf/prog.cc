#include "libcore/walk/bpf/prog.h"

#include <fmt/format.h>

#include "libcore/walk/bpf/objects.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/row/enum_text.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/value/value_json.h"

namespace ktstr {

// A program is a struct bpf_prog (include/linux/filter.h, bpf.h); most of what is told about it is
// in its bpf_prog_aux. Its counters are one set for each CPU and are added up. They are plain
// numbers in older kernels, u64_stats_t in newer ones, which is a structure around local64_t: hence
// their three paths. `sleepable` has been a member of either structure.

namespace {

constexpr size_t kMaxFunctionName = 512;  // KSYM_NAME_LEN

struct ProgMembers : Fields {
  explicit ProgMembers(const Walk& walk) : Fields(walk, "bpf_prog") {}
  MaybeMember type = Need("type"), tag = Need("tag"), stats = Maybe("stats"),
              expected_attach_type = Maybe("expected_attach_type"), aux = Need("aux");
};

struct AuxMembers : Fields {
  explicit AuxMembers(const Walk& walk) : Fields(walk, "bpf_prog_aux") {}
  MaybeMember sleepable = Maybe("sleepable"), attach_func_name = Maybe("attach_func_name"),
              attach_btf_id = Maybe("attach_btf_id");
};

struct StatsMembers : Fields {
  explicit StatsMembers(const Walk& walk) : Fields(walk, "bpf_prog_stats") {}
  MaybeMember cnt = Maybe("cnt.v.a.a.counter", "cnt.v", "cnt"),
              nsecs = Maybe("nsecs.v.a.a.counter", "nsecs.v", "nsecs"),
              misses = Maybe("misses.v.a.a.counter", "misses.v", "misses");
};

struct LinkMembers : Fields {
  explicit LinkMembers(const Walk& walk) : Fields(walk, "bpf_link") {}
  MaybeMember type = Need("type"), prog = Need("prog");
};

class ProgWalker {
 public:
  explicit ProgWalker(const Walk& walk)
      : walk_(walk),
        type_names_(walk.types, {"bpf_prog_type"}, "BPF_PROG_TYPE_"),
        cpus_(ListCpus(walk)) {}

  BpfProgRow Read(const BpfObject& object) {
    CellReader prog(walk_, object.kva, "a BPF program");
    BpfProgRow row;
    row.id = object.id;
    row.prog_kva = Hex(object.kva);
    const auto type = prog.Integer(prog_.type);
    if (type) row.type = type_names_.NameOf(*type);
    of_prog_.Read(prog, row);
    row.tag = TagOf(prog);
    if (const auto stats = prog.Pointer(prog_.stats); stats && !stats->is_null()) {
      row.run_cnt = Sum(*stats, counters_.cnt);
      row.run_time_ns = Sum(*stats, counters_.nsecs);
      row.recursion_misses = Sum(*stats, counters_.misses);
    }
    if (const auto aux = prog.Pointer(prog_.aux); aux && !aux->is_null()) ReadAux(prog, *aux, row);
    return row;
  }

 private:
  void ReadAux(CellReader& prog, Kva kva, BpfProgRow& row) {
    CellReader aux(walk_, kva, "a BPF program");
    of_aux_.Read(aux, row);
    if (!row.sleepable) row.sleepable = aux.Integer(details_.sleepable);
    if (const auto name = aux.Pointer(details_.attach_func_name); name && !name->is_null()) {
      if (const auto text = walk_.kernel.ReadString(*name, kMaxFunctionName))
        row.attached_to = *text;
    }
    if (row.type == "struct_ops") row.attached_to = CallbackOf(prog, aux);
  }

  // A struct_ops program's type is the structure, its expected_attach_type the member's number.
  std::optional<std::string> CallbackOf(CellReader& prog, CellReader& aux) {
    const auto type = aux.Unsigned(details_.attach_btf_id);
    const auto index = prog.Unsigned(prog_.expected_attach_type);
    if (!type || !index) return std::nullopt;
    const TypeId id{static_cast<uint32_t>(*type)};
    const auto members = walk_.types.MembersOf(id);
    if (*index >= members.size()) return std::nullopt;
    return fmt::format("{}.{}", walk_.types.NameOf(id), members[*index].name);
  }

  std::optional<std::string> TagOf(CellReader& prog) {
    if (!prog_.tag) return std::nullopt;
    std::vector<std::byte> bytes(prog_.tag->size);
    if (const auto read = prog.object().Read(prog_.tag->offset, bytes); !read) {
      prog.Report(read.error());
      return std::nullopt;
    }
    const std::string quoted = BytesToJson(bytes);
    return quoted.substr(1, quoted.size() - 2);
  }

  std::optional<int64_t> Sum(Kva percpu, const MaybeMember& counter) {
    if (!counter) return std::nullopt;
    int64_t sum = 0;
    for (const CpuRef& cpu : cpus_) {
      const auto area = walk_.kernel.PerCpu(percpu, cpu.cpu);
      if (!area) return std::nullopt;
      CellReader stats(walk_, *area, "a BPF program's counters");
      const auto value = stats.Integer(counter);
      if (!value) return std::nullopt;
      sum += *value;
    }
    return sum;
  }

  Walk walk_;
  ProgMembers prog_{walk_};
  AuxMembers details_{walk_};
  StatsMembers counters_{walk_};
  RowReader<BpfProgRow> of_prog_{walk_}, of_aux_{walk_, "bpf_prog_aux"};
  EnumText type_names_;
  std::vector<CpuRef> cpus_;
};

}  // namespace

const RowTable<BpfProgRow>& BpfProgRow::Table() {
  using R = BpfProgRow;
  static const RowTable<R> table(
      "bpf_prog", "The BPF programs of the kernel.", Structure{"bpf_prog"},
      {
          Col<&R::id>("id", "", "The program's id."),
          ReadCol<&R::name>("name", "", "Name, at most 15 characters.",
                            At("name").Of("bpf_prog_aux")),
          Col<&R::type>("type", "", "BPF_PROG_TYPE_*, in lower case."),
          Col<&R::tag>("tag", "", "Hash of its instructions."),
          Col<&R::run_cnt>("run_cnt", "", "Runs, while kernel.bpf_stats_enabled was 1."),
          Col<&R::run_time_ns>("run_time_ns", "ns", "Time in those runs."),
          Col<&R::recursion_misses>("recursion_misses", "", "Runs refused for being nested."),
          ReadCol<&R::insn_cnt>("insn_cnt", "", "Instructions after verification.", At("len")),
          ReadCol<&R::jited_bytes>("jited_bytes", "bytes", "Size of its machine code.",
                                   MaybeAt("jited_len")),
          ReadCol<&R::verified_insns>("verified_insns", "",
                                      "Instructions the verifier went through.",
                                      MaybeAt("verified_insns").Of("bpf_prog_aux")),
          ReadCol<&R::functions>("functions", "", "Functions, when it has several.",
                                 MaybeAt("func_cnt").Of("bpf_prog_aux")),
          ReadCol<&R::load_time_ns>("load_time_ns", "ns", "When it was loaded, since boot.",
                                    MaybeAt("load_time").Of("bpf_prog_aux")),
          ReadCol<&R::sleepable>("sleepable", "", "1 when it may sleep.", MaybeAt("sleepable")),
          Col<&R::attached_to>("attached_to", "",
                               "Kernel function, or callback of a structure, it is made for."),
          ReadCol<&R::jited_kva>("jited_kva", "", "Where its machine code begins.",
                                 MaybeAt("bpf_func")),
          Col<&R::prog_kva>("prog_kva", "", "Address of its struct bpf_prog."),
      });
  return table;
}

const RowTable<BpfLinkRow>& BpfLinkRow::Table() {
  using R = BpfLinkRow;
  static const RowTable<R> table(
      "bpf_link", "The BPF links of the kernel.",
      {
          Col<&R::id>("id", "", "The link's id."),
          Col<&R::type>("type", "", "BPF_LINK_TYPE_*, in lower case."),
          Col<&R::prog_id>("prog_id", "", "Program it attaches."),
          Col<&R::link_kva>("link_kva", "", "Address of its struct bpf_link."),
      });
  return table;
}

Result<Walked<BpfProgRow>> WalkBpfProgs(const GuestKernel& kernel, const WalkLimits& limits) {
  Anomalies anomalies("bpf_prog");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  Walked<BpfProgRow> walked;
  const auto objects = ListBpfProgs(walk);
  if (!objects.empty()) {
    ProgWalker walker(walk);
    for (const BpfObject& object : objects) walked.rows.push_back(walker.Read(object));
  }
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

Result<Walked<BpfLinkRow>> WalkBpfLinks(const GuestKernel& kernel, const WalkLimits& limits) {
  Anomalies anomalies("bpf_link");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  Walked<BpfLinkRow> walked;
  const auto objects = ListBpfLinks(walk);
  if (!objects.empty()) {
    const LinkMembers members(walk);
    const MaybeMember aux = Fields(walk, "bpf_prog").Need("aux");
    const MaybeMember id = Fields(walk, "bpf_prog_aux").Need("id");
    const EnumText names(walk.types, {"bpf_link_type"}, "BPF_LINK_TYPE_");
    for (const BpfObject& object : objects) {
      CellReader link(walk, object.kva, "a BPF link");
      BpfLinkRow row;
      row.id = object.id;
      row.link_kva = Hex(object.kva);
      if (const auto value = link.Integer(members.type)) row.type = names.NameOf(*value);
      if (const auto kva = link.Pointer(members.prog); kva && !kva->is_null()) {
        CellReader program(walk, *kva, "a BPF link's program");
        if (const auto details = program.Pointer(aux); details && !details->is_null()) {
          row.prog_id = CellReader(walk, *details, "a BPF link's program").Integer(id);
        }
      }
      walked.rows.push_back(std::move(row));
    }
  }
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr

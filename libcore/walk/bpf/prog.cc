#include "ktstr/walk/bpf/prog.h"

#include <fmt/format.h>

#include "ktstr/walk/bpf/objects.h"
#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/enum_text.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/value_json.h"

namespace ktstr {

namespace {

constexpr size_t kMaxFunctionName = 512;  // KSYM_NAME_LEN

class ProgWalker {
 public:
  explicit ProgWalker(const Walk& walk)
      : walk_(walk),
        type_names_(walk.types, {"bpf_prog_type"}, "BPF_PROG_TYPE_"),
        cpus_(ListCpus(walk)) {
    Fields prog(walk, "bpf_prog");
    type_ = prog.Need("type");
    len_ = prog.Need("len");
    jited_len_ = prog.Maybe("jited_len");
    tag_ = prog.Need("tag");
    stats_ = prog.Maybe("stats");
    bpf_func_ = prog.Maybe("bpf_func");
    sleepable_ = prog.Maybe("sleepable");
    expected_attach_type_ = prog.Maybe("expected_attach_type");
    aux_ = prog.Need("aux");
    Fields aux(walk, "bpf_prog_aux");
    name_ = aux.Need("name");
    load_time_ = aux.Maybe("load_time");
    verified_insns_ = aux.Maybe("verified_insns");
    func_cnt_ = aux.Maybe("func_cnt");
    aux_sleepable_ = aux.Maybe("sleepable");
    attach_func_name_ = aux.Maybe("attach_func_name");
    attach_btf_id_ = aux.Maybe("attach_btf_id");
    Fields stats(walk, "bpf_prog_stats");
    cnt_ = stats.Maybe("cnt.v.a.a.counter", "cnt.v", "cnt");
    nsecs_ = stats.Maybe("nsecs.v.a.a.counter", "nsecs.v", "nsecs");
    misses_ = stats.Maybe("misses.v.a.a.counter", "misses.v", "misses");
  }

  BpfProgRow Read(const BpfObject& object) {
    CellReader prog(walk_, object.kva, "a BPF program");
    BpfProgRow row;
    row.id = object.id;
    row.prog_kva = Hex(object.kva);
    const auto type = prog.Integer(type_);
    if (type) row.type = type_names_.NameOf(*type);
    row.insn_cnt = prog.Integer(len_);
    row.jited_bytes = prog.Integer(jited_len_);
    row.jited_kva = prog.HexOf(bpf_func_);
    row.sleepable = prog.Integer(sleepable_);
    row.tag = TagOf(prog);
    if (const auto stats = prog.Pointer(stats_); stats && !stats->is_null()) {
      row.run_cnt = Sum(*stats, cnt_);
      row.run_time_ns = Sum(*stats, nsecs_);
      row.recursion_misses = Sum(*stats, misses_);
    }
    if (const auto aux = prog.Pointer(aux_); aux && !aux->is_null()) ReadAux(prog, *aux, row);
    return row;
  }

 private:
  void ReadAux(CellReader& prog, Kva kva, BpfProgRow& row) {
    CellReader aux(walk_, kva, "a BPF program");
    row.name = aux.Text(name_);
    row.load_time_ns = aux.Integer(load_time_);
    row.verified_insns = aux.Integer(verified_insns_);
    row.functions = aux.Integer(func_cnt_);
    if (!row.sleepable) row.sleepable = aux.Integer(aux_sleepable_);
    if (const auto name = aux.Pointer(attach_func_name_); name && !name->is_null()) {
      if (const auto text = walk_.kernel.ReadString(*name, kMaxFunctionName))
        row.attached_to = *text;
    }
    if (row.type == "struct_ops") row.attached_to = CallbackOf(prog, aux);
  }

  // A struct_ops program's type is the structure, its expected_attach_type the member's number.
  std::optional<std::string> CallbackOf(CellReader& prog, CellReader& aux) {
    const auto type = aux.Unsigned(attach_btf_id_);
    const auto index = prog.Unsigned(expected_attach_type_);
    if (!type || !index) return std::nullopt;
    const TypeId id{static_cast<uint32_t>(*type)};
    const auto members = walk_.types.MembersOf(id);
    if (*index >= members.size()) return std::nullopt;
    return fmt::format("{}.{}", walk_.types.NameOf(id), members[*index].name);
  }

  std::optional<std::string> TagOf(CellReader& prog) {
    if (!tag_) return std::nullopt;
    std::vector<std::byte> bytes(tag_->size);
    if (const auto read = prog.object().Read(tag_->offset, bytes); !read) {
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
  EnumText type_names_;
  std::vector<CpuRef> cpus_;
  MaybeMember type_, len_, jited_len_, tag_, stats_, bpf_func_, sleepable_, expected_attach_type_,
      aux_;
  MaybeMember name_, load_time_, verified_insns_, func_cnt_, aux_sleepable_, attach_func_name_,
      attach_btf_id_;
  MaybeMember cnt_, nsecs_, misses_;
};

}  // namespace

const RowTable<BpfProgRow>& BpfProgRow::Table() {
  using R = BpfProgRow;
  static const RowTable<R> table(
      "bpf_prog", "The BPF programs of the kernel.",
      {
          Col<&R::id>("id", "", "The program's id."),
          Col<&R::name>("name", "", "Name, at most 15 characters."),
          Col<&R::type>("type", "", "BPF_PROG_TYPE_*, in lower case."),
          Col<&R::tag>("tag", "", "Hash of its instructions."),
          Col<&R::run_cnt>("run_cnt", "", "Runs, while kernel.bpf_stats_enabled was 1."),
          Col<&R::run_time_ns>("run_time_ns", "ns", "Time in those runs."),
          Col<&R::recursion_misses>("recursion_misses", "", "Runs refused for being nested."),
          Col<&R::insn_cnt>("insn_cnt", "", "Instructions after verification."),
          Col<&R::jited_bytes>("jited_bytes", "bytes", "Size of its machine code."),
          Col<&R::verified_insns>("verified_insns", "", "Instructions the verifier went through."),
          Col<&R::functions>("functions", "", "Functions, when it has several."),
          Col<&R::load_time_ns>("load_time_ns", "ns", "When it was loaded, since boot."),
          Col<&R::sleepable>("sleepable", "", "1 when it may sleep."),
          Col<&R::attached_to>("attached_to", "",
                               "Kernel function, or callback of a structure, it is made for."),
          Col<&R::jited_kva>("jited_kva", "", "Where its machine code begins."),
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
    Fields fields(walk, "bpf_link");
    const MaybeMember type = fields.Need("type");
    const MaybeMember prog = fields.Need("prog");
    const MaybeMember aux = Fields(walk, "bpf_prog").Need("aux");
    const MaybeMember id = Fields(walk, "bpf_prog_aux").Need("id");
    const EnumText names(walk.types, {"bpf_link_type"}, "BPF_LINK_TYPE_");
    for (const BpfObject& object : objects) {
      CellReader link(walk, object.kva, "a BPF link");
      BpfLinkRow row;
      row.id = object.id;
      row.link_kva = Hex(object.kva);
      if (const auto value = link.Integer(type)) row.type = names.NameOf(*value);
      if (const auto kva = link.Pointer(prog); kva && !kva->is_null()) {
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

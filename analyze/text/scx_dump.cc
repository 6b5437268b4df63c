#include "analyze/text/scx_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <regex>

#include "analyze/findings/findings.h"
#include "analyze/index/cells.h"
#include "analyze/text/cpu_mask_text.h"
#include "analyze/text/lines.h"
#include "analyze/text/output.h"
#include "analyze/text/scx_dump_layout.h"
#include "libcore/base/safe_text.h"
#include "libcore/walk/stack/sched_text.h"
#include "libcore/walk/value/typed_value.h"
#include "libcore/walk/value/value_path.h"

namespace ktstr {

namespace {

constexpr const char* kDumpSchedulers =
    "SELECT s.scheduler, s.ops_name, s.level, c.id, s.cgroup, s.exit_kind, s.exit_reason, "
    "s.exit_message, s.exit_backtrace, s.exit_dump, s.sched_kva, (SELECT group_concat(op, ', ') "
    "FROM scx_op o "
    "WHERE o.scheduler = s.scheduler AND o.op IN ('dump', 'dump_cpu', 'dump_task') AND "
    "o.\"set\" = 1) AS callbacks FROM scx s LEFT JOIN cgroup c ON c.path = s.cgroup "
    "WHERE s.ops_name IS NOT NULL ORDER BY s.scheduler";

constexpr const char* kDumpCpus =
    "SELECT c.cpu, c.scx_nr_running, c.scx_flags, c.scx_cpu_released, c.scx_ops_qseq, "
    "c.scx_pnt_seq, c.curr_comm, c.curr_pid, t.class_symbol, "
    "coalesce(p.to_kick, c.scx_to_kick), coalesce(p.to_kick_if_idle, c.scx_to_kick_if_idle), "
    "coalesce(p.to_preempt, c.scx_to_preempt), coalesce(p.to_wait, c.scx_to_wait), "
    "c.scx_to_sync, c.rq_kva, t.class = 'idle' AND NOT EXISTS (SELECT 1 FROM rq_task r WHERE r.cpu "
    "= c.cpu AND "
    "r.queue = 'scx_runnable') FROM cpu c LEFT JOIN task t ON t.task_kva = c.curr_kva "
    "LEFT JOIN scx_cpu p ON p.cpu = c.cpu AND p.scheduler = {} ORDER BY c.cpu";

// What runs, and then the run queue's list of those that could, in its order. One that is ending is
// no longer among the kernel's tasks: of it the queue tells the name alone.
constexpr const char* kDumpTasks =
    "SELECT l.cpu, l.marker, l.task_kva, t.state, coalesce(t.comm, l.comm), coalesce(t.pid, "
    "l.pid), t.scx_scheduler, s.level, g.id, "
    "(t.scx_runnable_at - (SELECT value FROM machine WHERE key = 'jiffies')) * 1000 / "
    "(SELECT value FROM machine WHERE key = 'hz'), t.scx_state_raw, t.scx_flags, "
    "t.scx_dsq_flags, t.scx_ops_state_raw, t.scx_ops_qseq, t.scx_sticky_cpu, t.scx_holding_cpu, "
    "t.scx_dsq_id, t.scx_dsq_vtime, t.scx_slice_ns, t.scx_weight, t.affinity, "
    "t.migration_disabled FROM ("
    "SELECT c.cpu, '*' AS marker, -1 AS position, c.curr_kva AS task_kva, r.comm, r.pid FROM cpu c "
    "JOIN task r ON r.task_kva = c.curr_kva WHERE r.class = 'ext' UNION ALL "
    "SELECT cpu, ' ', position, task_kva, comm, pid FROM rq_task WHERE queue = 'scx_runnable') l "
    "LEFT JOIN task t ON t.task_kva = l.task_kva LEFT JOIN scx s ON s.scheduler = t.scx_scheduler "
    "LEFT JOIN cgroup g ON g.path = s.cgroup ORDER BY l.cpu, l.position";

constexpr const char* kDumpFrames =
    "SELECT task_kva, running, ip, symbol, offset, module FROM stack_frame WHERE kind != 'end' "
    "AND (task_kva IN (SELECT task_kva FROM rq_task WHERE queue = 'scx_runnable') OR task_kva IN "
    "(SELECT curr_kva FROM cpu)) ORDER BY task_kva, depth";

bool IsKnown(const Value& value) { return !std::holds_alternative<std::monostate>(value); }

// "?" for what is not known.
std::string Text(const Value& value) { return SafeText(ToDisplay(value, "?")); }

// The number of a cell that holds an integer, or an address or id as text.
std::optional<uint64_t> NumberOf(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<uint64_t>(*integer);
  return HexNumberOf(TextOf(value));
}

std::string Hexadecimal(std::optional<uint64_t> number) {
  return number ? fmt::format("0x{:x}", *number) : "?";
}

std::string Decimal(const Value& value) {
  const auto number = NumberOf(value);
  return number ? fmt::format("{}", *number) : "?";
}

std::string Signed(const Value& value) {
  return IsKnown(value) ? fmt::format("{:+}", IntegerOf(value)) : "?";
}

// "root", or "sub1-123": its depth, and its cgroup's id.
std::string SchedulerId(const Value& level, const Value& cgroup_id) {
  if (level == Value(int64_t{0})) return "root";
  return IsKnown(level) ? fmt::format("sub{}-{}", Text(level), Text(cgroup_id)) : "?";
}

// Frames of a stack as %pS shows them.
struct Frame {
  Kva ip;
  std::string text;
  bool running = false;
};

class Dumper {
 public:
  Dumper(const Database& index, MemorySource& memory, const GuestKernel& kernel,
         const TypeInfo& types)
      : index_(index),
        memory_(memory),
        kernel_(kernel),
        types_(types),
        layout_(types),
        sched_text_(kernel) {}

  Result<std::vector<ScxDump>> All() {
    const QueryResult schedulers = KTSTR_TRY(index_.Query(kDumpSchedulers));
    if (schedulers.rows.empty()) return std::vector<ScxDump>();
    tasks_ = KTSTR_TRY(index_.Query(kDumpTasks));
    KTSTR_TRY(ReadFrames());
    std::vector<ScxDump> dumps;
    for (const auto& row : schedulers.rows) {
      lines_.clear();
      scheduler_ = row[0];
      KTSTR_TRY(AddHead(row));
      KTSTR_TRY(AddCpus());
      if (layout_.has_events) KTSTR_TRY(AddEvents());
      dumps.push_back({IntegerOf(row[0]), TextOf(row[1]), std::move(lines_)});
    }
    return dumps;
  }

 private:
  template <typename... Arguments>
  void Line(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    lines_.push_back(fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  void NewLine() { lines_.emplace_back(); }

  Status ReadFrames() {
    const QueryResult frames = KTSTR_TRY(index_.Query(kDumpFrames));
    for (const auto& row : frames.rows) {
      const auto ip = NumberOf(row[2]);
      Frame frame{Kva(ip.value_or(0)), {}, row[1] == Value(int64_t{1})};
      if (!ip || !IsKnown(row[3])) {
        frame.text = Hexadecimal(ip);
      } else {
        const auto size = KTSTR_TRY(memory_.FunctionSize(frame.ip));
        frame.text =
            fmt::format("{}+{}/{}{}", Text(row[3]), Hexadecimal(NumberOf(row[4])),
                        Hexadecimal(size), IsKnown(row[5]) ? " [" + Text(row[5]) + "]" : "");
      }
      stacks_[TextOf(row[0])].push_back(std::move(frame));
    }
    return {};
  }

  Status AddHead(const std::vector<Value>& scheduler) {
    if (layout_.names_scheduler) {
      const std::string id = SchedulerId(scheduler[2], scheduler[3]);
      Line("{}: {}{}", Text(scheduler[1]), id,
           id == "root" ? "" : " " + SafeText(ToDisplay(scheduler[4], "?")));
    }
    if (TextOf(scheduler[5]) == "none") {
      Line("Debug dump triggered by {} the machine", RanWhileRead(index_) ? "reading" : "freezing");
    } else {
      const auto cpu = Number("scx_sched", scheduler[10], "exit_info->exit_cpu");
      Line("{} triggered exit kind {}{}:", WhoEndedIt(scheduler[9]), ExitKind(scheduler[5]),
           cpu && *cpu >= 0 ? fmt::format(" on CPU {}", *cpu) : "");
      Line("  {} ({})", Text(scheduler[6]), Text(scheduler[7]));
      NewLine();
      Line("Backtrace:");
      for (const std::string_view frame : LinesOf(TextOf(scheduler[8]))) {
        Line("  {}", KTSTR_TRY(WithSize(SafeText(frame))));
      }
    }
    if (IsKnown(scheduler[11])) {
      NewLine();
      Line(
          "# what {} would say of them, which are the scheduler's own, only a running kernel tells",
          Text(scheduler[11]));
    }
    return {};
  }

  // "comm[pid]" of whom the kernel has written down; it keeps that nowhere else.
  static std::string WhoEndedIt(const Value& exit_dump) {
    static const std::regex kWho(R"((?:^|\n)([^\n]*\[\d+\]) triggered exit kind )");
    std::smatch match;
    const std::string head = TextOf(exit_dump).substr(0, 4096);
    return std::regex_search(head, match, kWho) ? SafeText(match[1].str()) : "?[?]";
  }

  std::string ExitKind(const Value& name) const {
    std::string enumerator = "SCX_EXIT_" + TextOf(name);
    std::transform(enumerator.begin(), enumerator.end(), enumerator.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const auto value = types_.FindEnumerator(enumerator);
    return value ? fmt::format("{}", *value) : "?";
  }

  // "name+0x1c [module]" with the function's size behind: functions of one name have to be alike.
  Result<std::string> WithSize(const std::string& frame) {
    static const std::regex kFrame(R"(([^ +]+)(\+0x[0-9a-f]+)(.*))");
    std::smatch match;
    if (!std::regex_match(frame, match, kFrame)) return frame;
    std::optional<uint64_t> size;
    if (const auto at = memory_.FindSymbol(match[1])) {
      size = KTSTR_TRY(memory_.FunctionSize(*at));
    }
    return fmt::format("{}{}/{}{}", match[1].str(), match[2].str(), Hexadecimal(size),
                       match[3].str());
  }

  Status AddCpus() {
    NewLine();
    Line("CPU states");
    Line("----------");
    const QueryResult cpus = KTSTR_TRY(index_.Query(fmt::format(kDumpCpus, IntegerOf(scheduler_))));
    nr_cpus_ = 0;
    for (const auto& row : cpus.rows) nr_cpus_ = std::max(nr_cpus_, IntegerOf(row[0]) + 1);
    std::string idle;
    for (const auto& row : cpus.rows) {
      // The kernel says nothing of these.
      if (row[15] == Value(int64_t{1})) {
        idle += (idle.empty() ? "" : ", ") + Text(row[0]);
      } else {
        KTSTR_TRY(AddCpu(row));
      }
    }
    if (!idle.empty()) {
      NewLine();
      Line("# idle, and nothing is runnable there: CPU {}", idle);
    }
    return {};
  }

  Status AddCpu(const std::vector<Value>& row) {
    NewLine();
    Line("CPU {:<4}: nr_run={} flags={} cpu_rel={}{} {}={}", IntegerOf(row[0]), Text(row[1]),
         Hexadecimal(NumberOf(row[2])), Text(row[3]),
         layout_.has_ops_qseq ? " ops_qseq=" + Decimal(row[4]) : "",
         layout_.has_kick_sync ? "ksync" : "pnt_seq", Decimal(row[5]));
    if (layout_.has_rescue) AddRescue(row[14]);
    Line("          curr={}[{}] class={}", Text(row[6]), Text(row[7]), Text(row[8]));
    static constexpr const char* kMasks[] = {"cpus_to_kick   ", "idle_to_kick   ",
                                             "cpus_to_preempt", "cpus_to_wait   ",
                                             "cpus_to_sync   "};
    for (size_t i = 0; i < std::size(kMasks); ++i) {
      const Value& list = row[9 + i];
      if (!IsKnown(list)) {
        // Not all kernels have the last one.
        if (i + 1 == std::size(kMasks)) continue;
        Line("  {}: ?", kMasks[i]);
      } else if (!TextOf(list).empty()) {
        Line("  {}: {}", kMasks[i], KTSTR_TRY(CpuMaskText(TextOf(list), nr_cpus_)));
      }
    }
    for (const auto& task : tasks_.rows) {
      if (task[0] == row[0] && IsShown(task)) KTSTR_TRY(AddTask(task));
    }
    return {};
  }

  // scx_rescue_dump() in kernel/sched/ext/sub.c: tasks of sub-schedulers that the kernel runs.
  void AddRescue(const Value& rq) {
    const auto count = Number("rq", rq, "scx.rescue.dsq.nr");
    const auto budget_ns = Number("rq", rq, "scx.rescue.budget");
    const auto text = [](std::optional<int64_t> n) { return n ? fmt::format("{}", *n) : "?"; };
    const auto task = Field("rq", rq, "scx.rescue.curr");
    std::string rescuing = "none[-1]";
    if (!task) {
      rescuing = "?[?]";
    } else if (NumberOf(*task).value_or(0) != 0) {
      const auto comm = Field("rq", rq, "scx.rescue.curr->comm");
      rescuing = fmt::format("{}[{}]", comm ? Text(*comm) : "?",
                             text(Number("rq", rq, "scx.rescue.curr->pid")));
    }
    Line("          rescue={} budget={}us rescuing={}", text(count),
         budget_ns ? fmt::format("{}", *budget_ns / 1000) : "?", rescuing);
  }

  // What the index has no column for, because only the dump asks for it.
  std::optional<Value> Field(const char* type, const Value& kva, const char* path) const {
    const auto address = NumberOf(kva);
    const auto id = types_.FindStruct(type);
    if (!address || !id) return std::nullopt;
    const auto place = FindPlace(kernel_, types_, *id, Kva(*address), path);
    if (!place) return std::nullopt;
    const auto value = ReadValue(kernel_, types_, *place);
    return value ? std::optional(*value) : std::nullopt;
  }
  std::optional<int64_t> Number(const char* type, const Value& kva, const char* path) const {
    const auto value = Field(type, kva, path);
    const auto* number = value ? std::get_if<int64_t>(&*value) : nullptr;
    return number == nullptr ? std::nullopt : std::optional(*number);
  }

  // Of several schedulers, each dump has its own tasks; those whose scheduler is not known are in
  // the first.
  bool IsShown(const std::vector<Value>& task) const {
    if (!layout_.names_scheduler) return true;
    return (IsKnown(task[6]) ? task[6] : Value(int64_t{0})) == scheduler_;
  }

  Status AddTask(const std::vector<Value>& row) {
    NewLine();
    Line(" {}{} {}[{}]{} {}ms", TextOf(row[1]), Text(row[3]), Text(row[4]), Text(row[5]),
         layout_.names_scheduler ? " *" + SchedulerId(row[7], row[8]) : "", Signed(row[9]));
    const auto flags = NumberOf(row[11]);
    Line("      scx_state/flags={}/{} dsq_flags={} ops_state/qseq={}/{}", Text(row[10]),
         Hexadecimal(WithoutState(flags, row[10])), Hexadecimal(NumberOf(row[12])), Text(row[13]),
         Decimal(row[14]));
    const std::string place =
        fmt::format("      sticky/holding_cpu={}/{} dsq_id={}", Text(row[15]), Text(row[16]),
                    IsKnown(row[17]) ? Hexadecimal(NumberOf(row[17])) : "(n/a)");
    const std::string cpus =
        IsKnown(row[21]) ? KTSTR_TRY(CpuMaskText(TextOf(row[21]), nr_cpus_)) : "?";
    if (layout_.has_events) {
      lines_.push_back(place);
      Line("      dsq_vtime={} slice={} weight={}", Decimal(row[18]), Decimal(row[19]),
           Decimal(row[20]));
      Line("      cpus={} no_mig={}", cpus, Text(row[22]));
    } else {
      Line("{} dsq_vtime={}", place, Decimal(row[18]));
      Line("      cpus={}", cpus);
    }
    AddStack(TextOf(row[2]));
    return {};
  }

  // The flags without the state, which stands in them.
  static std::optional<uint64_t> WithoutState(std::optional<uint64_t> flags, const Value& state) {
    constexpr int kStateShift = 8;  // SCX_TASK_STATE_SHIFT in all kernels
    if (!flags || !IsKnown(state)) return std::nullopt;
    return *flags & ~(static_cast<uint64_t>(IntegerOf(state)) << kStateShift);
  }

  // As stack_trace_save_tsk() has it for the dump: without the scheduler's functions, and without
  // one more. That of a running task, which the kernel cannot show, is whole.
  void AddStack(const std::string& task) {
    const auto found = stacks_.find(task);
    if (found == stacks_.end()) return;
    size_t to_skip = 1;
    bool first = true;
    for (const Frame& frame : found->second) {
      if (!frame.running) {
        if (sched_text_.Contains(frame.ip)) continue;
        if (to_skip > 0) {
          --to_skip;
          continue;
        }
      }
      if (first) NewLine();
      first = false;
      Line("    {}", frame.text);
    }
  }

  Status AddEvents() {
    NewLine();
    Line("Event counters");
    Line("--------------");
    const QueryResult events = KTSTR_TRY(index_.Query(fmt::format(
        "SELECT event, count FROM scx_event WHERE scheduler = {}", IntegerOf(scheduler_))));
    for (const auto& row : events.rows) {
      Line("{:>40}: {:>16}", "SCX_EV_" + Text(row[0]), Text(row[1]));
    }
    return {};
  }

  const Database& index_;
  MemorySource& memory_;
  const GuestKernel& kernel_;
  const TypeInfo& types_;
  ScxDumpLayout layout_;
  SchedText sched_text_;
  QueryResult tasks_;
  std::map<std::string, std::vector<Frame>> stacks_;  // by task_kva
  int64_t nr_cpus_ = 0;
  Value scheduler_;
  std::vector<std::string> lines_;
};

}  // namespace

Result<std::vector<ScxDump>> ScxDumps(const Database& index, MemorySource& memory) {
  const GuestKernel* kernel = KTSTR_TRY(memory.Kernel());
  const TypeInfo* types = KTSTR_TRY(memory.Types());
  return Dumper(index, memory, *kernel, *types).All();
}

}  // namespace ktstr

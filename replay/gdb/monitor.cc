#include "replay/gdb/monitor.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "libcore/base/safe_text.h"
#include "libcore/walk/code/symbolize.h"
#include "libcore/walk/stack/stack.h"

namespace ktstr {

namespace {

constexpr uint64_t kMaxPhysicalBytes = 4096;  // of one command
constexpr uint64_t kBytesInLine = 16;

using Words = std::vector<std::string_view>;

Words SplitWords(std::string_view text) {
  Words words;
  size_t at = 0;
  while ((at = text.find_first_not_of(" \t\n", at)) != std::string_view::npos) {
    const size_t end = std::min(text.find_first_of(" \t\n", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

// Decimal, or hexadecimal with 0x.
Result<uint64_t> ParseNumber(std::string_view word) {
  const bool hexadecimal = word.starts_with("0x");
  const std::string_view digits = hexadecimal ? word.substr(2) : word;
  uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, hexadecimal ? 16 : 10);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no number: 44 and 0x2c are", SafeText(word)));
  }
  return value;
}

Result<std::string> HelpMonitor(FrozenTarget&, GdbThread, const Words&);

Result<std::string> ListTaskNames(FrozenTarget& target, GdbThread, const Words&) {
  std::string text;
  for (const TaskName& task : KTSTR_TRY(AllTaskNames(*KTSTR_TRY(target.kernel())))) {
    text += fmt::format("{:>7} {}", task.pid, task.comm);
    for (const TaskOnCpu& running : target.on_cpus()) {
      if (running.pid == task.pid) text += fmt::format(", on CPU {}", running.cpu);
    }
    text += '\n';
  }
  return text;
}

Result<std::string> StandInTask(FrozenTarget& target, GdbThread, const Words& words) {
  if (words.size() != 2) return Fail(ErrorCode::kInvalidArgument, "a pid is needed: task 44");
  const uint64_t pid = KTSTR_TRY(ParseNumber(words[1]));
  if (pid == 0 || pid > INT32_MAX) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("no task has the pid {}", pid));
  }
  const GdbThread thread = KTSTR_TRY(target.AddTask(static_cast<int64_t>(pid)));
  return fmt::format(
      "{} is Thread {}: 'info threads' lists it, 'thread N' with its number there stands in it\n",
      target.Describe(thread), thread);
}

Result<std::string> FindCpu(FrozenTarget& target, GdbThread, const Words& words) {
  if (words.size() != 2) return Fail(ErrorCode::kInvalidArgument, "a number is needed: cpu 1");
  const uint64_t cpu = KTSTR_TRY(ParseNumber(words[1]));
  for (const TaskOnCpu& running : target.on_cpus()) {
    if (running.cpu != cpu) continue;
    const GdbThread thread = target.ThreadOf(running);
    return fmt::format("{} is Thread {}: 'thread {}' stands in it\n", target.Describe(thread),
                       thread, thread);
  }
  return Fail(ErrorCode::kNotFound, fmt::format("no vCPU is known to be CPU {}", cpu));
}

Result<std::string> ShowStack(FrozenTarget& target, GdbThread thread, const Words& words) {
  const GuestKernel& kernel = *KTSTR_TRY(target.kernel());
  std::optional<int64_t> pid = target.PidOf(thread);
  if (words.size() > 1) pid = static_cast<int64_t>(KTSTR_TRY(ParseNumber(words[1])) & INT32_MAX);
  if (!pid) return Fail(ErrorCode::kNotFound, "this thread stands in no task with a pid");
  const auto walked = KTSTR_TRY(WalkStackOf(kernel, *pid));
  std::string text;
  for (const StackFrameRow& row : walked.rows) {
    if (row.kind == "end") {
      text += fmt::format("    {}{}\n", row.reason.value_or("end"),
                          row.detail ? ": " + SafeText(*row.detail) : "");
      continue;
    }
    text += fmt::format("#{:<2} {:#018x} {}+{:#x}{}{}\n", row.depth, row.ip ? row.ip->value : 0,
                        SafeText(row.symbol.value_or("?")), row.offset.value_or(0),
                        row.module ? " [" + SafeText(*row.module) + "]" : "",
                        row.kind == "call" ? "" : " (" + row.kind + ")");
  }
  return text;
}

Result<std::string> ReadPhysical(FrozenTarget& target, GdbThread, const Words& words) {
  if (words.size() < 2 || words.size() > 3) {
    return Fail(ErrorCode::kInvalidArgument, "an address is needed: xp 0x1000 64");
  }
  const uint64_t from = KTSTR_TRY(ParseNumber(words[1]));
  const uint64_t size = words.size() == 3 ? KTSTR_TRY(ParseNumber(words[2])) : 64;
  if (size == 0 || size > kMaxPhysicalBytes || from + size < from) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("1 to {} bytes can be read at a time", kMaxPhysicalBytes));
  }
  std::vector<std::byte> bytes(size);
  KTSTR_TRY(target.machine().memory().Read(Pa(from), bytes));
  std::string text;
  for (uint64_t at = 0; at < size; at += kBytesInLine) {
    text += fmt::format("{:#018x}:", from + at);
    for (uint64_t i = at; i < std::min(size, at + kBytesInLine); ++i) {
      text += fmt::format(" {:02x}", static_cast<unsigned>(bytes[i]));
    }
    text += '\n';
  }
  return text;
}

Result<std::string> ShowPage(FrozenTarget& target, GdbThread thread, const Words& words) {
  if (words.size() != 2) {
    return Fail(ErrorCode::kInvalidArgument, "an address is needed: page 0xffff888000001000");
  }
  const Kva address(KTSTR_TRY(ParseNumber(words[1])));
  const Pa pa = KTSTR_TRY(target.Translate(thread, address));
  const PageView page = target.machine().memory().View(Pfn::Of(pa));
  const std::string_view reason = LeftOutReasonName(page.left_out_reason());
  return fmt::format("{:#x} is at physical {:#x}: {}{}{}\n", address.value(), pa.value(),
                     PageFateName(page.fate()), reason.empty() ? "" : ", ", reason);
}

Result<std::string> NameAddress(FrozenTarget& target, GdbThread, const Words& words) {
  if (words.size() != 2) {
    return Fail(ErrorCode::kInvalidArgument, "a name or an address is needed: symbol jiffies");
  }
  const GuestKernel& kernel = *KTSTR_TRY(target.kernel());
  if (words[1].starts_with("0x")) {
    const Kva address(KTSTR_TRY(ParseNumber(words[1])));
    Anomalies anomalies("text");
    TextSymbols text(kernel, {}, anomalies);
    const auto symbol = SymbolizeAddress(kernel, text, address);
    if (!symbol) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{:#x} is neither text nor data of the kernel", address.value()));
    }
    return fmt::format("{:#x} {}\n", address.value(), SafeText(*symbol));
  }
  std::string text;
  for (const Symbol& symbol : kernel.symbols().FindAll(words[1])) {
    text += fmt::format("{:#018x} {} {}\n", symbol.address, symbol.type, SafeText(symbol.name));
  }
  if (text.empty()) {
    return Fail(ErrorCode::kNotFound, fmt::format("no symbol is called '{}'", SafeText(words[1])));
  }
  return text;
}

// Sections of vmlinux by symbols at which they begin (arch/x86/kernel/vmlinux.lds.S); those of
// per-CPU variables that count from 0 stay where the linker put them.
Result<std::string> ShowSections(FrozenTarget& target, GdbThread, const Words&) {
  constexpr std::pair<std::string_view, std::string_view> kSections[] = {
      {".rodata", "__start_rodata"},
      {".data", "_sdata"},
      {".bss", "__bss_start"},
      {".init.text", "_sinittext"},
      {".data..percpu", "__per_cpu_start"}};
  const GuestKernel& kernel = *KTSTR_TRY(target.kernel());
  std::string text =
      fmt::format("add-symbol-file vmlinux {:#x}", KTSTR_TRY(kernel.symbol_kva("_text")).value());
  for (const auto& [section, name] : kSections) {
    const auto begin = kernel.symbol_kva(name);
    if (begin && !begin->is_null()) text += fmt::format(" -s {} {:#x}", section, begin->value());
  }
  return text + "\n";
}

struct MonitorCommand {
  std::string_view name, arguments, help;
  Result<std::string> (*run)(FrozenTarget&, GdbThread, const Words&);
};

constexpr MonitorCommand kMonitorCommands[] = {
    {"help", "", "these commands", HelpMonitor},
    {"tasks", "", "all tasks, with their pids", ListTaskNames},
    {"task", "PID", "makes a task that sleeps a thread of gdb's", StandInTask},
    {"cpu", "N", "which of gdb's threads a CPU is", FindCpu},
    {"bt", "[PID]", "the stack of this thread's task, unwound by the kernel's own tables",
     ShowStack},
    {"xp", "ADDRESS [BYTES]", "physical memory (64 bytes)", ReadPhysical},
    {"page", "ADDRESS", "where an address of this thread leads, and what became of the page",
     ShowPage},
    {"symbol", "NAME|ADDRESS", "the kernel's symbols of that name; the one at an address 0x…",
     NameAddress},
    {"vmlinux", "", "gdb's command that lays a vmlinux file where this kernel is", ShowSections},
};

Result<std::string> HelpMonitor(FrozenTarget&, GdbThread, const Words&) {
  std::string text;
  for (const MonitorCommand& command : kMonitorCommands) {
    text += fmt::format("{:<22} {}\n", fmt::format("{} {}", command.name, command.arguments),
                        command.help);
  }
  return text;
}

}  // namespace

std::string AnswerMonitor(FrozenTarget& target, GdbThread thread, std::string_view words) {
  const Words split = SplitWords(words);
  if (split.empty()) return "monitor what? 'monitor help' lists the commands\n";
  for (const MonitorCommand& command : kMonitorCommands) {
    if (split[0] != command.name) continue;
    const auto text = command.run(target, thread, split);
    return text ? *text : SafeText(text.error().ToString()) + "\n";
  }
  return fmt::format("there is no monitor command '{}': 'monitor help' lists them\n",
                     SafeText(split[0]));
}

}  // namespace ktstr

// The table "trace" on real kernels, against what the guest's own /sys/kernel/tracing says of the
// same buffers.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "fixtures/sample/temporary_directory.h"
#include "frozen_guest.h"
#include "guest_tests.h"
#include "libcore/walk/trace/trace.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

// A line of a file "trace": "  comm-12  [001] d..2. 12.345678: sched_switch: prev_comm=…".
struct TraceLine {
  std::string comm, flags, text;
  int64_t pid = 0, cpu = 0, time_us = 0;
};

std::vector<TraceLine> ParseTrace(const std::string& text) {
  static const std::regex pattern(R"(^ *(.*)-(\d+) +\[(\d+)\] (\S{5}) +(\d+)\.(\d{6}): (.*)$)");
  std::vector<TraceLine> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, pattern)) continue;
    lines.push_back({match[1], match[4], match[7], std::stoll(match[2]), std::stoll(match[3]),
                     std::stoll(match[5]) * 1'000'000 + std::stoll(match[6])});
  }
  return lines;
}

// The stacks in a file "trace", a function a line, as the table has them; that has names, too, for
// code that ftrace generates.
std::vector<std::string> Stacks(const std::string& text) {
  std::vector<std::string> stacks;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with(": <stack trace>")) stacks.emplace_back();
    if (!line.starts_with(" => ") || stacks.empty()) continue;
    const std::string function = line.substr(4);
    if (!stacks.back().empty()) stacks.back() += " <- ";
    stacks.back() += function.starts_with("0x") ? "ftrace_trampoline" : function;
  }
  return stacks;
}

// As the guest prints them: what tells functions, markers and probes apart is not told there.
std::string AsPrinted(const TraceRow& row) {
  if (row.event == "print") return *row.text;
  if (row.event == "function") return std::regex_replace(*row.text, std::regex("<-- "), "<-");
  return row.event + ": " + row.text.value_or("");
}

std::vector<std::string> Texts(const std::vector<TraceRow>& rows) {
  std::vector<std::string> texts;
  for (const TraceRow& row : rows) texts.push_back(row.text.value_or(""));
  return texts;
}

class TraceGuestTest : public testing::TestWithParam<std::string> {
 protected:
  // A guest in which trace_user was run so.
  void Trace(const std::string& how) {
    MachineOptions options;
    options.kernel = AnyKernel(GetParam());
    // The kernel changes its text to trace.
    options.qemu = QemuForSchedulers();
    options.files = {{KTSTR_TRACE_USER, "/trace_user", 0755}};
    auto machine = BootWithWork(options, "sleep:2");
    ASSERT_OK(machine);
    const auto ran = (*machine)->RunProgram({"/trace_user", how}, "");
    ASSERT_OK(ran);
    const std::string out = (*ran)["stdout"];
    ASSERT_EQ((*ran)["status"], 0) << out;
    std::istringstream in(out);
    std::string name;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("=== ")) {
        name = line.substr(4);
      } else {
        files_[name] += line + "\n";
      }
    }
    machine_ = *std::move(machine);
  }
  void FreezeAndWalk() {
    // The rings are the kernel's own pages.
    auto guest = FrozenGuest::Freeze(*machine_, directory_ / "trace.kts", Keep::kKernel);
    ASSERT_OK(guest);
    const auto live = WalkTrace((*guest)->live());
    ASSERT_OK(live);
    auto kept = WalkTrace((*guest)->kept());
    ASSERT_OK(kept);
    EXPECT_EQ(live->events, kept->events);
    EXPECT_EQ(live->buffers, kept->buffers);
    state_ = *std::move(kept);
  }

  std::vector<TraceRow> Rows(const std::string& buffer, int64_t snapshot) const {
    std::vector<TraceRow> rows;
    for (const TraceRow& row : state_.events) {
      if (row.buffer == buffer && row.snapshot == snapshot) rows.push_back(row);
    }
    return rows;
  }
  // That the rows are those lines, event by event, on each CPU.
  void ExpectSame(const std::vector<TraceRow>& rows, const std::string& file);

  TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  std::map<std::string, std::string> files_;
  TraceState state_;
};

void TraceGuestTest::ExpectSame(const std::vector<TraceRow>& rows, const std::string& file) {
  std::map<int64_t, std::vector<TraceRow>> by_cpu;
  for (const TraceRow& row : rows) {
    if (row.event != "kernel_stack") by_cpu[row.cpu].push_back(row);
  }
  std::map<int64_t, std::vector<TraceLine>> said;
  for (const TraceLine& line : ParseTrace(files_[file])) {
    if (line.text != "<stack trace>") said[line.cpu].push_back(line);
  }
  ASSERT_FALSE(said.empty()) << file << "\n" << files_[file];
  ASSERT_EQ(by_cpu.size(), said.size());
  for (const auto& [cpu, lines] : said) {
    ASSERT_EQ(by_cpu[cpu].size(), lines.size()) << file << " of CPU " << cpu;
    for (size_t i = 0; i < lines.size(); ++i) {
      const TraceRow& row = by_cpu[cpu][i];
      const TraceLine& line = lines[i];
      EXPECT_EQ((*row.time_ns + 500) / 1000, line.time_us) << line.text;
      EXPECT_EQ(row.pid, line.pid) << line.text;
      EXPECT_EQ(row.flags, line.flags) << line.text;
      if (line.comm != "<...>") {
        EXPECT_EQ(row.comm, line.comm) << line.text;
      }
      // Others are printed by code of their own, or with pointers that the guest hides.
      if (row.event != "opened" && row.event != "hrtimer_start" && row.system != "syscalls") {
        EXPECT_EQ(AsPrinted(row), line.text);
      }
    }
  }
}

TEST_P(TraceGuestTest, HasWhatTheGuestSaysOfItsStoppedTrace) {
  ASSERT_NO_FATAL_FAILURE(Trace("stopped"));
  ASSERT_NO_FATAL_FAILURE(FreezeAndWalk());
  ExpectNoAnomalies({&state_.anomalies});
  ExpectSame(Rows("top", 0), "trace");
  ExpectSame(Rows("mine", 0), "instances/mine/trace");
  ExpectSame(Rows("top", 1), "snapshot");

  std::map<std::string, std::vector<TraceRow>> by_event;
  for (const TraceRow& row : Rows("top", 0)) by_event[row.event].push_back(row);
  for (const char* event : {"sched_switch", "sched_wakeup", "print", "bpf_trace_printk", "opened",
                            "function", "kernel_stack", "softirq_raise"}) {
    EXPECT_TRUE(by_event.contains(event)) << event;
  }
  EXPECT_EQ(by_event["bpf_trace_printk"][0].text, "bpf says 42");
  EXPECT_EQ(by_event["print"].back().text, "tracing_mark_write: with a stack");
  EXPECT_THAT(Texts(by_event["kernel_stack"]), UnorderedElementsAreArray(Stacks(files_["trace"])));
  const json opened = json::parse(*by_event["opened"].back().fields);
  EXPECT_EQ(opened["name"], "/sys/kernel/tracing/tracing_on");
  EXPECT_EQ(opened["dfd"], -100);
  const json switched = json::parse(*by_event["sched_switch"].front().fields);
  EXPECT_TRUE(switched["next_pid"].is_number());
  EXPECT_TRUE(switched["next_comm"].is_string());

  for (const TraceBufferRow& row : state_.buffers) {
    EXPECT_EQ(row.events, row.entries) << row.buffer << " " << row.snapshot << " " << row.cpu;
    EXPECT_EQ(row.recording, 0) << row.buffer;
    // Kernels before 6.8 have sub-buffers of a page only.
    if (row.buffer == "mine") {
      const std::string kib = files_["instances/mine/buffer_subbuf_size_kb"];
      EXPECT_EQ(row.subbuffer_bytes, kib.empty() ? 4096 : 1024 * std::stoll(kib));
    }
    if (row.buffer != "top" || row.snapshot != 0) continue;
    EXPECT_THAT(files_["trace_clock"], HasSubstr(fmt::format("[{}]", *row.clock)));
    EXPECT_THAT(files_[fmt::format("per_cpu/cpu{}/stats", row.cpu)],
                HasSubstr(fmt::format("entries: {}\noverrun: {}\n", *row.entries, *row.overrun)));
  }
}

// Nobody stops to write for a freeze: what was committed is there, and goes up to it.
TEST_P(TraceGuestTest, IsReadWhileEventsAreBeingWritten) {
  ASSERT_NO_FATAL_FAILURE(Trace("running"));
  // Long enough for the guest's work to show; whatever is there is right.
  ASSERT_OK(machine_->Report());
  ASSERT_NO_FATAL_FAILURE(FreezeAndWalk());
  ExpectNoAnomalies({&state_.anomalies});
  int64_t events = 0;
  for (const TraceBufferRow& row : state_.buffers) {
    EXPECT_EQ(row.recording, row.snapshot == 0 ? 1 : 0);
    EXPECT_EQ(row.events, row.entries);
    events += *row.events;
  }
  EXPECT_EQ(events, static_cast<int64_t>(state_.events.size()));
  const std::vector<TraceRow> rows = Rows("top", 0);
  ASSERT_FALSE(rows.empty());
  // Of 2 s at most: the machine has hardly been at it for longer than that, and never stopped.
  EXPECT_GE(rows.back().age_ns, 0);
  EXPECT_LT(rows.back().age_ns, 2'000'000'000);
  EXPECT_TRUE(rows.back().log_ns);
}

// In memory that the kernel keeps from one boot to the next.
TEST(TraceBootGuestTest, ABufferInReservedMemoryIsReadAsAnyOther) {
  MachineOptions options;
  options.kernel = StockKernel("newest-7");
  options.kernel_cmdline = "reserve_mem=8M:4096:kept trace_instance=kept@kept,sched:sched_switch";
  const TemporaryDirectory directory;
  const auto machine = BootWithWork(options, "yield:2");
  ASSERT_OK(machine);
  ASSERT_OK((*machine)->Report());
  const auto guest = FrozenGuest::Freeze(**machine, directory / "kept.kts", Keep::kKernel);
  ASSERT_OK(guest);
  const auto state = WalkTrace((*guest)->kept());
  ASSERT_OK(state);
  ExpectNoAnomalies({&state->anomalies});
  int64_t events = 0;
  for (const TraceBufferRow& row : state->buffers) {
    EXPECT_EQ(row.events, row.entries) << row.buffer;
    if (row.buffer == "kept") events += *row.events;
  }
  EXPECT_GT(events, 0);
  EXPECT_EQ(state->events.back().event, "sched_switch");
  EXPECT_EQ(state->events.back().buffer, "kept");
}

INSTANTIATE_TEST_SUITE_P(Kernels, TraceGuestTest,
                         testing::ValuesIn(OwnAndOtherKernels({"6.12"},
                                                              {"6.1", "newest-6", "newest-7"})),
                         [](const auto& test) { return KernelTestName(test.param); });

}  // namespace
}  // namespace ktstr

// Proves: in a real guest, whose programs are this build's, `ktstr-analyze --live` says of the
// machine that it runs on what that machine's /proc and /sys say of it, and `ktstr-capture --host`
// makes an archive of it that says the same elsewhere, without calling tearing damage.
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analyze/check/check.h"
#include "analyze/index/index.h"
#include "analyze/text/output.h"
#include "capture/run/program_files.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"

namespace ktstr {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

void AddProgram(MachineOptions& options, const std::string& program) {
  const auto files = ProgramFiles(program);
  ASSERT_OK(files);
  for (const GuestFile& file : *files) {
    const bool there = std::ranges::any_of(
        options.files, [&](const GuestFile& other) { return other.guest == file.guest; });
    if (!there) options.files.push_back(file);
  }
}

std::string Decoded(std::string_view base64) {
  std::string bytes;
  uint32_t bits = 0;
  int have = 0;
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (const char c : base64) {
    const size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) continue;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    bytes += static_cast<char>(bits >> have & 0xff);
  }
  return bytes;
}

class HostGuestTest : public testing::TestWithParam<const char*> {
 protected:
  static constexpr char kAnalyze[] = KTSTR_ANALYZE_PROGRAM;
  static constexpr char kCapture[] = KTSTR_CAPTURE_PROGRAM;

  void SetUp() override {
    MachineOptions options = Machine(GetParam());
    options.qemu = QemuForSchedulers();
    options.memory_bytes = 768 * kMiB;
    options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", "/vtime.bpf.o"}};
    for (const char* program :
         {kAnalyze, kCapture, "/bin/dash", "/bin/cat", "/bin/base64", "/bin/stat"}) {
      AddProgram(options, program);
    }
    auto machine = GuestMachine::Boot(options);
    ASSERT_OK(machine);
    machine_ = *std::move(machine);
    ASSERT_OK(machine_->StartWorkers(*ParseWorkerSpecs("spin:1,sleep:3")));
    if (!HasScheduler()) return;
    ASSERT_OK(machine_->LoadScheduler("/vtime.bpf.o"));
  }

  // Debian's kernels have sched_ext from 6.13 on.
  static bool HasScheduler() { return std::string_view(GetParam()) != "6.12"; }

  // What a command of the guest's says, on standard output and error.
  std::string Run(const std::string& command, int status = 0) {
    const auto ran = machine_->RunProgram({"/bin/dash", "-c", "( " + command + " ) 2>&1"}, "");
    EXPECT_OK(ran);
    if (!ran) return "";
    std::string text = (*ran)["stdout"];
    EXPECT_EQ((*ran)["status"].get<int>() >> 8, status) << command << "\n" << text;
    return text;
  }
  std::string Live(const std::string& what, int status = 0) {
    return Run(std::string(kAnalyze) + " --live " + what, status);
  }

  std::unique_ptr<GuestMachine> machine_;
  const synthetic::TemporaryDirectory directory_;
};

// The names of /proc/PID/stat by the number.
std::map<std::string, std::string> TasksOfProc(const std::string& text) {
  std::map<std::string, std::string> tasks;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t open = line.find('('), close = line.rfind(')');
    if (open == line.npos || close == line.npos) continue;
    tasks[line.substr(0, open - 1)] = line.substr(open + 1, close - open - 1);
  }
  return tasks;
}

// Those of `a` that are in `b` with the same name: what comes and goes meanwhile is in one alone.
size_t Agreeing(const std::map<std::string, std::string>& a,
                const std::map<std::string, std::string>& b) {
  return static_cast<size_t>(std::ranges::count_if(a, [&](const auto& task) {
    const auto other = b.find(task.first);
    return other != b.end() && other->second == task.second;
  }));
}

TEST_P(HostGuestTest, TheMachineItselfIsAskedAndKept) {
  const std::string proc = Run("/bin/cat /proc/[0-9]*/stat");
  const auto tasks = TasksOfProc(proc);
  ASSERT_GT(tasks.size(), 50u);

  // What is asked.
  const json live = json::parse(Live("--json tasks 2>/dev/null"));
  std::map<std::string, std::string> seen;
  for (const json& task : live) {
    if (task["pid"] == 0) continue;
    // /proc shows a worker with what it works on.
    seen[std::to_string(task["pid"].get<int>())] = task["comm"];
  }
  size_t workers = 0;
  for (const auto& [pid, comm] : tasks) workers += comm.starts_with("kworker/");
  EXPECT_GE(Agreeing(tasks, seen) + workers + 8, tasks.size());
  const std::string summary = Live("");
  EXPECT_THAT(summary, AllOf(HasSubstr("read while the machine ran"), HasSubstr("\nread      "),
                             Not(HasSubstr("frozen"))));
  EXPECT_THAT(Live("stack 1"), AllOf(HasSubstr("ktstr-init (1)"), HasSubstr("__schedule"),
                                     HasSubstr("this machine runs while it is read")));
  EXPECT_THAT(Live("log"), HasSubstr("Run /init as init process"));
  if (HasScheduler()) {
    EXPECT_THAT(Run("/bin/cat /sys/kernel/sched_ext/root/ops"), HasSubstr("ktstr_vtime"));
    EXPECT_THAT(Live("scx"), AllOf(HasSubstr("ktstr_vtime"), HasSubstr("enabled")));
    EXPECT_THAT(Live("dump"), HasSubstr("triggered by reading the machine"));
  }
  // Nothing of a healthy machine fails for being read while it changes.
  const std::string checked = Live("check --fail-on warning");
  EXPECT_THAT(checked, AllOf(HasSubstr(" 0 fail"), Not(HasSubstr("FAILS"))));
  EXPECT_THAT(Live("vcpu", 2), HasSubstr("in no memory"));
  EXPECT_THAT(Live("diff /x.kts", 2), HasSubstr("ktstr-capture --host"));

  // What is kept, and looked at elsewhere.
  EXPECT_THAT(Run(std::string(kCapture) + " --host -o /x.kts --tag why=test"),
              HasSubstr("while it ran"));
  EXPECT_THAT(Run("/bin/cat /proc/[0-9]*/stat; /bin/stat -c %a /x.kts"), HasSubstr("\n600\n"));
  std::ofstream(directory_ / "x.kts", std::ios::binary) << Decoded(Run("/bin/base64 /x.kts"));
  const auto machine = FrozenMachine::Open(directory_ / "x.kts");
  ASSERT_OK(machine);
  EXPECT_TRUE((*machine)->metadata().ran_while_read);
  EXPECT_EQ((*machine)->metadata().kept, "kernel");
  EXPECT_TRUE((*machine)->archive().FindDamagedFrames(1)->empty());
  const auto index = OpenIndex(**machine, {.use_file = false});
  ASSERT_OK(index);
  const auto ask = [&index](const std::string& sql) {
    const auto rows = index->Query(sql);
    EXPECT_OK(rows);
    return rows && rows->rows.size() == 1 ? ToDisplay(rows->rows[0][0]) : "no single row";
  };
  seen.clear();
  const auto rows = index->Query("SELECT pid, comm FROM task WHERE pid != 0");
  ASSERT_OK(rows);
  for (const auto& row : rows->rows) seen[ToDisplay(row[0])] = ToDisplay(row[1]);
  EXPECT_GE(Agreeing(tasks, seen) + workers + 8, tasks.size());
  EXPECT_EQ(ask("SELECT count(*) FROM anomaly WHERE kind NOT IN ('torn', 'no registers')"), "0");
  EXPECT_EQ(ask("SELECT severity FROM verdict"), "info");
  if (HasScheduler()) {
    EXPECT_EQ(ask("SELECT ops_name || ' ' || enable_state FROM scx"), "ktstr_vtime enabled");
  }
  const auto results = RunRules(*index, BuiltInRules());
  EXPECT_FALSE(SomethingFails(results, Severity::kWarning)) << ToText(results, 0);
  // RAM is where the kernel says, for those who may know.
  uint64_t ram = 0;
  std::istringstream lines(Run("/bin/cat /proc/iomem"));
  for (std::string line; std::getline(lines, line);) {
    uint64_t begin = 0, end = 0;
    if (!line.ends_with(" : System RAM")) continue;
    ASSERT_EQ(sscanf(line.c_str(), "%lx-%lx", &begin, &end), 2);
    ram += (end + 1) / kPageSize - (begin + kPageSize - 1) / kPageSize;
  }
  EXPECT_EQ((*machine)->memory().page_count(), ram);
}

INSTANTIATE_TEST_SUITE_P(Kernels, HostGuestTest, testing::Values("6.12", "7.3"));

}  // namespace
}  // namespace ktstr

// A guest of which a CPU was switched off while it ran: every table says so, and none misses it.
#include <gmock/gmock.h>

#include <set>
#include <sstream>

#include "analyze/index/index.h"
#include "fixtures/sample/temporary_directory.h"
#include "frozen_guest.h"
#include "guest_tests.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;

constexpr char kSwitch[] = "/sys/devices/system/cpu/cpu1/online";

class CpuOfflineGuestTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    MachineOptions options;
    const std::string kernel = GetParam();
    options.kernel = kernel.starts_with("6.") ? StockKernel(kernel) : SchedExtKernel(kernel);
    options.cpus = 3;
    Status done;
    for (int attempt = 0; attempt < 3; ++attempt) {
      done = SwitchOff(options);
      if (done || machine_ == nullptr || !machine_->TrippedOverTcg()) break;
    }
    ASSERT_OK(done);
    const auto system = machine_->SystemAccount();
    ASSERT_OK(system);
    system_ = *system;
    const auto path = directory_ / "a.kts";
    ASSERT_OK(FrozenGuest::Freeze(*machine_, path));
    auto index = OpenIndex(path, {.use_file = false});
    ASSERT_OK(index);
    index_.emplace(*std::move(index));
  }
  Status SwitchOff(const MachineOptions& options) {
    machine_ = KTSTR_TRY(BootWithWork(options, "spin:4,sleep:4,yield"));
    return machine_->WriteFile(kSwitch, "0");
  }
  // The rows of a query, their cells joined by blanks.
  std::vector<std::string> Ask(const std::string& query) {
    const auto answer = index_->Query(query);
    if (!answer) return {answer.error().ToString()};
    std::vector<std::string> rows;
    for (const auto& row : answer->rows) {
      std::string text;
      for (const Value& cell : row) {
        if (!text.empty()) text += " ";
        if (const auto* number = std::get_if<int64_t>(&cell)) text += std::to_string(*number);
        if (const auto* string = std::get_if<std::string>(&cell)) text += *string;
      }
      rows.push_back(text);
    }
    return rows;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  json system_;
  std::optional<Database> index_;
};

TEST_P(CpuOfflineGuestTest, EveryTableSaysWhatIsLeftOfIt) {
  EXPECT_THAT(Ask("SELECT walker, kind, detail FROM anomaly"), IsEmpty());
  EXPECT_THAT(Ask("SELECT cpu, online FROM cpu ORDER BY cpu"), ElementsAre("0 1", "1 0", "2 1"));
  EXPECT_THAT(Ask("SELECT curr_pid, nr_running FROM cpu WHERE cpu = 1"), ElementsAre("0 0"));
  EXPECT_THAT(Ask("SELECT * FROM rq_task WHERE cpu = 1"), IsEmpty());
  // The processor itself stands halted where its idle task let it die.
  EXPECT_THAT(Ask("SELECT DISTINCT running FROM stack_frame WHERE pid = 0 AND cpu = 1"),
              ElementsAre("1"));
  EXPECT_THAT(Ask("SELECT symbol FROM stack_frame WHERE pid = 0 AND cpu = 1"),
              AllOf(Contains(EndsWith("play_dead")), Contains("do_idle")));
  EXPECT_THAT(Ask("SELECT reason FROM stack_frame WHERE pid = 0 AND cpu = 1 AND kind = 'end'"),
              ElementsAre("end of stack"));
  // Nobody else is there.
  EXPECT_THAT(Ask("SELECT DISTINCT pid FROM stack_frame WHERE running = 1 AND cpu = 1"),
              ElementsAre("0"));
  EXPECT_THAT(Ask("SELECT comm FROM task WHERE cpu = 1 AND is_kthread = 0 AND pid != 0 AND on_rq"),
              IsEmpty());
  EXPECT_THAT(Ask("SELECT cpu, kind, function FROM timer WHERE cpu = 1"), IsEmpty());
  EXPECT_THAT(Ask("SELECT rule, subject, detail FROM finding WHERE subject LIKE 'CPU 1%' OR "
                  "rule IN ('damage', 'kernel_in_trouble', 'lost_task', 'wrong_cpu')"),
              IsEmpty());
}

TEST_P(CpuOfflineGuestTest, TopologyAndDomainsAreAsTheGuestTells) {
  EXPECT_THAT(Ask("SELECT cpu, online FROM topology ORDER BY cpu"),
              ElementsAre("0 1", "1 0", "2 1"));
  for (const char* cpu : {"0", "2"}) {
    const json& told = system_["cpus"][cpu];
    SCOPED_TRACE(told.dump(1));
    EXPECT_THAT(
        Ask(std::string("SELECT thread_siblings, core_siblings FROM topology WHERE cpu = ") + cpu),
        ElementsAre(told["thread_siblings_list"].get<std::string>() + " " +
                    told["core_siblings_list"].get<std::string>()));
  }
  // Who has domains in /proc/schedstat, and how many.
  std::vector<std::string> told;
  std::istringstream schedstat(system_["schedstat"].get<std::string>());
  std::string cpu;
  for (std::string word; schedstat >> word;) {
    if (word.starts_with("cpu")) cpu = word.substr(3);
    if (word.starts_with("domain")) told.push_back(cpu + " " + word.substr(6));
  }
  EXPECT_EQ(Ask("SELECT cpu, level FROM sched_domain ORDER BY cpu, level"), told);
  EXPECT_THAT(Ask("SELECT DISTINCT span FROM sched_domain"), ElementsAre("0,2"));
}

INSTANTIATE_TEST_SUITE_P(Kernels, CpuOfflineGuestTest,
                         testing::Values("6.12", "6.1", "distribution"), [](const auto& info) {
                           std::string name = std::string("Linux") + info.param;
                           std::erase(name, '.');
                           return name;
                         });

}  // namespace
}  // namespace ktstr

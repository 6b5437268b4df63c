// Damaged archives as a user meets them: what is not touched is answered, what is touched is
// refused or marked, and nothing that is left is out of reach.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/container.h"
#include "libcore/base/text_file.h"
#include "run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using archive::DirectoryEntry;
using archive::SectionType;
using testing::HasSubstr;

class DamageTest : public testing::Test {
 protected:
  DamageTest() {
    setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1);
    good_ = ReadTextFile(fmt::format("{}/stall.kts", KTSTR_STATE_DIR)).value();
    EXPECT_TRUE(WriteTextFile(path_, good_));
    container_ = archive::ReadContainer(archive::InputFile::Open(path_).value()).value();
  }

  void Flip(uint64_t offset) {
    std::string bad = good_;
    bad[offset] = static_cast<char>(bad[offset] ^ 8);
    EXPECT_TRUE(WriteTextFile(path_, bad));
  }
  void FlipIn(SectionType type) { Flip(container_.Find(type)->offset + 30); }

  Ran Analyze(const std::string& words) {
    return RunInShell(fmt::format("{} {} {}", KTSTR_ANALYZE, path_, words));
  }
  Ran Replay(const std::string& command, const std::string& words = "") {
    return RunInShell(fmt::format("{} {} {} {}", KTSTR_REPLAY, command, path_, words));
  }

  synthetic::TemporaryDirectory directory_;
  const std::string path_ = (directory_ / "x.kts").string();
  std::string good_;
  archive::Container container_;
};

TEST_F(DamageTest, OfTheDeviceStateTouchesNoQuestion) {
  const std::string whole = Analyze("tasks").out;
  fs::remove(path_ + ".index");
  FlipIn(SectionType::kDeviceState);
  const Ran ran = Analyze("tasks");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, whole);
  const Ran verified = Replay("verify");
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.out, HasSubstr("section DEVS: the devices' state. Touched: resume"));
}

TEST_F(DamageTest, OfTheRegistersTouchesWhatIsMadeOfThem) {
  const std::string log = Analyze("log").out;
  fs::remove(path_ + ".index");
  FlipIn(SectionType::kVcpus);
  const Ran ran = Analyze("sql 'SELECT count(*) FROM tag'");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("is damaged"));
  for (const char* words : {"vcpu", "stack --all"}) {
    const Ran refused = Analyze(words);
    EXPECT_EQ(refused.exit_code, 3) << words;
    EXPECT_EQ(refused.out, "") << words;
    EXPECT_THAT(refused.err, HasSubstr("--accept-damage")) << words;
  }
}

TEST_F(DamageTest, IsToldOnceAndNotTakenBack) {
  FlipIn(SectionType::kVcpus);
  const std::string report = (directory_ / "x.html").string();
  for (const std::string& words : {"report -o " + report + " --accept-damage",
                                   "export-db " + report + ".db --accept-damage"}) {
    const Ran ran = Analyze(words);
    EXPECT_EQ(ran.exit_code, 3) << words;
    EXPECT_THAT(ran.err, HasSubstr("may lack something")) << words;
    EXPECT_THAT(ran.err, testing::Not(HasSubstr("lacks nothing"))) << words;
  }
}

// 6 of 33 flips gave an empty table, with nothing on standard error and exit code 0.
TEST_F(DamageTest, OfPagesIsNeverAShorterAnswerWithoutAWord) {
  const std::string whole = Analyze("tasks").out;
  fs::remove(path_ + ".index");
  size_t refused = 0, answered = 0;
  constexpr uint64_t kFlips = 24;
  for (uint64_t i = 0; i < kFlips; ++i) {
    Flip(container_.frame_offsets[i * container_.frame_count() / kFlips] + 100);
    const Ran ran = Analyze("tasks"), accepted = Analyze("tasks --accept-damage");
    EXPECT_FALSE(fs::exists(path_ + ".index"));
    EXPECT_THAT(ran.err, HasSubstr("is damaged"));
    EXPECT_EQ(accepted.exit_code, ran.exit_code);
    if (ran.exit_code == 0) {
      ++answered;
      EXPECT_EQ(ran.out, whole) << i;
      EXPECT_EQ(accepted.out, whole) << i;
    } else {
      ++refused;
      EXPECT_EQ(ran.exit_code, 3);
      EXPECT_EQ(ran.out, "");
      EXPECT_THAT(accepted.err, HasSubstr("task may lack something")) << i;
    }
  }
  EXPECT_EQ(answered + refused, kFlips);
  EXPECT_GT(answered, 0u) << "damage stops only what it touches";
}

TEST_F(DamageTest, RulesOverTablesThatLackSomethingDoNotHold) {
  size_t seen = 0;
  for (uint64_t frame = 0; frame < container_.frame_count(); frame += 100) {
    Flip(container_.frame_offsets[frame] + 100);
    const Ran ran = Analyze("check --accept-damage --only cpu_hog,lock_cycle");
    if (ran.err.find("finding may lack something") == std::string::npos) continue;
    ++seen;
    EXPECT_EQ(ran.exit_code, 3) << frame;
    EXPECT_THAT(ran.out, HasSubstr("2 not applicable")) << frame;
  }
  EXPECT_GT(seen, 0u);
}

TEST_F(DamageTest, AnArchiveThatIsCutOffIsSalvagedAndAnsweredForWhatIsLeft) {
  // As this program writes them: those of the format before it do not say where pages belong.
  const std::string now = (directory_ / "now.kts").string();
  const std::string request =
      R"({"direction":"write","entries":[{"target":{"symbol":"panic_timeout"},"value":{"u32":0}}]})";
  ASSERT_EQ(RunInShell(fmt::format("{} ops {} --save {} --request - <<< '{}'", KTSTR_REPLAY, path_,
                                   now, request))
                .exit_code,
            0);
  const std::string whole = RunInShell(fmt::format("{} {} tasks", KTSTR_ANALYZE, now)).out;
  const Ran verified = RunInShell(fmt::format("{} verify {}", KTSTR_REPLAY, now));
  const std::string frames = verified.out.substr(verified.out.find("whole: ") + 7);
  const std::string count = frames.substr(0, frames.find(" memory frames"));
  std::string bytes = ReadTextFile(now).value();
  // The end alone is lost: with it the page table and all that leads to the rest.
  bytes.resize(bytes.size() - 2000);
  ASSERT_TRUE(WriteTextFile(path_, bytes));
  const Ran refused = Analyze("tasks --accept-damage");
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr("salvage"));
  const std::string rest = (directory_ / "rest.kts").string();
  const Ran salvaged = Replay("salvage", rest);
  EXPECT_EQ(salvaged.exit_code, 0) << salvaged.err;
  EXPECT_THAT(salvaged.out, HasSubstr(count + " memory frames; lost: device state"));
  const Ran answered = RunInShell(fmt::format("{} {} tasks", KTSTR_ANALYZE, rest));
  EXPECT_EQ(answered.exit_code, 0) << answered.err;
  EXPECT_EQ(answered.out, whole);
}

}  // namespace
}  // namespace ktstr

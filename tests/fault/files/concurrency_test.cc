// Several processes at one archive or one corpus at once: nothing is torn, one wins, the others
// wait or take what it has made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <vector>

#include "../../analyze/archives.h"
#include "../../analyze/run_program.h"
#include "libcore/base/text_file.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;

// Runs all commands at once.
std::vector<Ran> RunAll(const std::vector<std::string>& commands) {
  std::vector<std::future<Ran>> running;
  for (const std::string& command : commands) {
    running.push_back(std::async(std::launch::async, [&command] { return RunInShell(command); }));
  }
  std::vector<Ran> ran;
  for (auto& one : running) ran.push_back(one.get());
  return ran;
}

class ConcurrencyTest : public testing::Test {
 protected:
  ConcurrencyTest() { setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1); }

  std::string Path(const std::string& name) const { return (directory_ / name).string(); }
  std::string MakeArchive(int number) {
    const std::string path = Path(fmt::format("{}.kts", number));
    WriteGuest(MakeGuest(3 + uint32_t(number)), path);
    return path;
  }
  std::string Corpus(const std::string& words) const {
    return fmt::format("{} corpus {}", KTSTR_ANALYZE, words);
  }

  const synthetic::TemporaryDirectory directory_;
};

TEST_F(ConcurrencyTest, AnalyzersThatAllBuildTheIndexAllAnswerAndLeaveOne) {
  constexpr int kRounds = 5, kAtOnce = 8;
  const std::string archive = MakeArchive(1);
  const std::string command = fmt::format("{} {} tasks", KTSTR_ANALYZE, archive);
  const std::string right = RunInShell(command).out;
  for (int round = 0; round < kRounds; ++round) {
    fs::remove(archive + ".index");
    for (const Ran& ran : RunAll(std::vector<std::string>(kAtOnce, command))) {
      EXPECT_EQ(ran.exit_code, 0) << ran.err;
      EXPECT_EQ(ran.out, right);
    }
    // Whole, and alone.
    const auto modified = fs::last_write_time(archive + ".index");
    EXPECT_EQ(RunInShell(command).out, right);
    EXPECT_EQ(fs::last_write_time(archive + ".index"), modified) << "it was built anew";
    EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), 2);
  }
}

TEST_F(ConcurrencyTest, ArchivesThatAreAddedAtOnceAreAllThere) {
  constexpr int kAtOnce = 8;
  std::vector<std::string> commands;
  for (int i = 0; i < kAtOnce; ++i) {
    commands.push_back(Corpus(fmt::format("add {} {}", Path("corpus"), MakeArchive(i))));
  }
  for (const Ran& ran : RunAll(commands)) EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const Ran listed = RunInShell(Corpus(fmt::format("list {} --json", Path("corpus"))));
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  for (int i = 0; i < kAtOnce; ++i) {
    EXPECT_THAT(listed.out, testing::HasSubstr(fmt::format("\"{}\"", i)));
  }
}

TEST_F(ConcurrencyTest, OfTheSameArchiveOneWins) {
  const std::string archive = MakeArchive(1);
  const auto ran = RunAll(
      std::vector<std::string>(6, Corpus(fmt::format("add {} {}", Path("corpus"), archive))));
  EXPECT_EQ(std::ranges::count(ran, 0, &Ran::exit_code), 1);
  EXPECT_EQ(std::ranges::count(ran, 1, &Ran::exit_code), 5);
}

TEST_F(ConcurrencyTest, OfTwoArchivesOfOneNameOneWins) {
  const std::string first = MakeArchive(1), second = MakeArchive(2);
  const auto add = [&](const std::string& archive) {
    return Corpus(fmt::format("add {} {} --name same", Path("corpus"), archive));
  };
  const auto ran = RunAll({add(first), add(second)});
  EXPECT_EQ(std::ranges::count(ran, 0, &Ran::exit_code), 1);
  EXPECT_EQ(RunInShell(Corpus("list " + Path("corpus"))).exit_code, 0);
}

TEST_F(ConcurrencyTest, QueriesWhileArchivesComeAndGoAnswer) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(
        RunInShell(Corpus(fmt::format("add {} {}", Path("corpus"), MakeArchive(i)))).exit_code, 0);
  }
  std::vector<std::string> commands;
  for (int i = 3; i < 6; ++i) {
    commands.push_back(Corpus(fmt::format("add {} {}", Path("corpus"), MakeArchive(i))));
    commands.push_back(Corpus(fmt::format("query {} 'SELECT count(*) FROM task'", Path("corpus"))));
  }
  for (const Ran& ran : RunAll(commands)) EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(RunInShell(Corpus("check " + Path("corpus"))).err, "");
}

}  // namespace
}  // namespace ktstr

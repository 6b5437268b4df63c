// ktstr-analyze corpus as a user runs it: what goes on where an archive fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "archives.h"
#include "run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CorpusProgramTest : public ::testing::Test {
 protected:
  CorpusProgramTest() {
    setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1);
    for (const std::string name : {"alpha", "beta", "gamma"}) {
      WriteGuest(MakeGuest(3, name), directory_ / (name + ".kts"));
      EXPECT_EQ(Ask("add", (directory_ / (name + ".kts")).string()).exit_code, 0);
    }
  }

  Ran Ask(const std::string& command, const std::string& words) {
    return RunInShell(fmt::format("{} corpus {} {} {}", KTSTR_ANALYZE, command,
                                  (directory_ / "corpus").string(), words));
  }

  // The archive cannot be opened any more.
  void Cut(const std::string& name) {
    for (const auto& row : nlohmann::json::parse(Ask("list", "--json").out)) {
      if (row["name"] != name) continue;
      fs::resize_file(
          directory_ / "corpus" / "archives" / (row["digest"].get<std::string>() + ".kts"), 100);
    }
  }

  TemporaryDirectory directory_;
};

TEST_F(CorpusProgramTest, AQueryGoesOnBehindAnArchiveThatCannotBeOpened) {
  Cut("alpha");
  const std::string statement =
      "'SELECT DISTINCT comm FROM task WHERE comm IN (\"alpha\", \"beta\", \"gamma\")' --csv";
  for (const std::string& words : {statement, statement, "--each " + statement}) {
    const Ran ran = Ask("query", words);
    EXPECT_EQ(ran.exit_code, 3) << words << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("beta\r\n")) << words;
    EXPECT_THAT(ran.out, HasSubstr("gamma\r\n")) << words;
    EXPECT_THAT(ran.err, testing::StartsWith("alpha: ")) << words;
    EXPECT_THAT(ran.err, HasSubstr("\n1 of 3 archives could not be read; ")) << words;
  }
}

TEST_F(CorpusProgramTest, ListAndExpectGoOnToo) {
  ASSERT_EQ(Ask("expect", "--update").exit_code, 0);
  Cut("beta");
  const Ran listed = Ask("list", "");
  EXPECT_EQ(listed.exit_code, 3);
  EXPECT_THAT(listed.out, HasSubstr("beta "));
  EXPECT_THAT(listed.out, HasSubstr("gamma "));
  EXPECT_THAT(listed.err, testing::StartsWith("beta: "));
  const Ran expected = Ask("expect", "");
  EXPECT_EQ(expected.exit_code, 1);
  EXPECT_EQ(expected.out, "2 of 3 archives answer as expected\n");
  EXPECT_THAT(expected.err, testing::StartsWith("beta: "));
}

TEST_F(CorpusProgramTest, AWrongStatementIsWrongUsageWhateverTheArchives) {
  for (const char* words : {"'SELECT nothing'", "--each 'SELECT nothing'"}) {
    const Ran ran = Ask("query", words);
    EXPECT_EQ(ran.exit_code, 2) << words;
    EXPECT_THAT(ran.err, HasSubstr("nothing")) << words;
  }
}

TEST_F(CorpusProgramTest, WhereNoArchiveCanBeOpenedThereIsNoAnswer) {
  for (const char* name : {"alpha", "beta", "gamma"}) Cut(name);
  for (const char* words : {"'SELECT pid FROM task'", "--each 'SELECT pid FROM task'"}) {
    const Ran ran = Ask("query", words);
    EXPECT_EQ(ran.exit_code, 3) << words;
    EXPECT_EQ(ran.out, "") << words;
    EXPECT_THAT(ran.err, HasSubstr("alpha: ")) << words;
  }
}

TEST_F(CorpusProgramTest, ACheckSaysTheSameInEveryForm) {
  Cut("beta");
  const std::string file = (directory_ / "check.xml").string();
  const Ran json = Ask("check", "--json --junit " + file), tap = Ask("check", "--tap"),
            text = Ask("check", "");
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_EQ(tap.exit_code, 1);
  EXPECT_EQ(text.exit_code, 1);
  const auto document = nlohmann::json::parse(json.out);
  ASSERT_EQ(document.size(), 3u);
  EXPECT_TRUE(document[1].contains("error"));
  EXPECT_THAT(text.out, HasSubstr("3 archives: all rules hold in "));
  EXPECT_THAT(tap.out, HasSubstr("- beta: archive\n"));
  std::ifstream stream(file);
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(stream), {}), HasSubstr("errors=\"1\""));
}

}  // namespace
}  // namespace ktstr

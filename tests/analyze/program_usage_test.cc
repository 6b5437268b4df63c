// What ktstr-analyze says of its words and files: help, completion, mistakes, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "program_fixture.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// What bash offers behind these words, the last of which is being typed.
std::string Complete(const std::string& words, int count) {
  const std::string script = fmt::format(
      "source <({0} completion bash); COMP_WORDS=({0} {1}); COMP_CWORD={2}; "
      "_ktstr_analyze; echo \"${{COMPREPLY[@]}}\"",
      KTSTR_ANALYZE, words, count);
  const std::string command = "bash -c '" + script + "' 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> buffer;
  const size_t size = fread(buffer.data(), 1, buffer.size(), pipe);
  pclose(pipe);
  return std::string(buffer.data(), size);
}

TEST_F(ProgramTest, BashCompletesSubcommandsOptionsAndTables) {
  EXPECT_EQ(Complete("a.kts st", 2), "stack\n");
  EXPECT_EQ(Complete("a.kts stack --c", 3), "--cpu\n");
  EXPECT_EQ(Complete("a.kts --acc", 2), "--accept-damage\n");
  EXPECT_EQ(Complete("schema blocked", 2), "blocked_chain\n");
  EXPECT_EQ(Complete(archive_.substr(0, archive_.size() - 2), 1), archive_ + "\n");
  EXPECT_EQ(Complete("a.kts diff " + archive_.substr(0, archive_.size() - 2), 3), archive_ + "\n");
  EXPECT_EQ(Ask("completion tcsh").exit_code, 2);
}

TEST_F(ProgramTest, HelpAndVersionAreNoErrors) {
  for (const char* arguments : {"--help", "--version", "sql --help", "tasks --help"}) {
    EXPECT_EQ(Ask(arguments).exit_code, 0) << arguments;
  }
}

TEST_F(ProgramTest, HelpOfACommandIsWhatItsOptionSays) {
  EXPECT_EQ(Ask("help").out, Ask("--help").out);
  EXPECT_EQ(Ask("help tasks").out, Ask("tasks --help").out);
  EXPECT_EQ(Ask("help corpus check").out, Ask("corpus check --help").out);
  const Ran mistyped = Ask("help taks");
  EXPECT_EQ(mistyped.exit_code, 2);
  EXPECT_THAT(mistyped.out, HasSubstr("unknown subcommand 'taks'; did you mean 'tasks'?"));
}

TEST_F(ProgramTest, AMistypedOptionIsAnsweredWithTheNearest) {
  EXPECT_THAT(Ask(archive_ + " tasks --jsno").out,
              HasSubstr("unknown option '--jsno'; did you mean '--json'?"));
  EXPECT_THAT(Ask(archive_ + " tasks --wher=pid").out,
              HasSubstr("unknown option '--wher'; did you mean '--where'?"));
}

TEST_F(ProgramTest, WrongUsageAndWrongSqlAreExitCode2) {
  for (const std::string& arguments :
       {std::string(), archive_ + " no-such-command", archive_ + " --bad-option", archive_ + " sql",
        archive_ + " sql 'SELECT x'", archive_ + " sql 'DELETE FROM task'"}) {
    EXPECT_EQ(Ask(arguments).exit_code, 2) << arguments;
  }
}

TEST_F(ProgramTest, WhatIsNoArchiveIsExitCode3AndOneLineThatSaysWhich) {
  const fs::path empty = directory_ / "empty.kts", text = directory_ / "text.kts",
                 cut = directory_ / "cut.kts";
  std::ofstream(empty).flush();
  std::ofstream(text) << "This is a text file, not an archive.\n";
  fs::copy_file(archive_, cut);
  fs::resize_file(cut, fs::file_size(cut) / 2);
  for (const fs::path& path : {empty, text, cut, directory_ / "missing.kts", directory_.path()}) {
    const Ran ran = Ask(path.string());
    EXPECT_EQ(ran.exit_code, 3) << ran.out;
    EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 1) << ran.out;
    EXPECT_THAT(ran.out, HasSubstr(path.string()));
  }
}

TEST_F(ProgramTest, ADamagedArchiveIsExitCode3OrGivesTheRightAnswer) {
  const std::string right = Ask(archive_ + " tasks --no-index --json").out;
  std::string bytes;
  {
    std::ifstream file(archive_, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  const fs::path damaged = directory_ / "damaged.kts";
  // Some dozen places all over the file: every part of it is among them.
  for (size_t at = 0; at < bytes.size(); at += bytes.size() / 37) {
    std::string copy = bytes;
    copy[at] = static_cast<char>(copy[at] ^ 0x10);
    std::ofstream(damaged, std::ios::binary) << copy;
    const Ran ran = Ask(damaged.string() + " tasks --no-index --json");
    if (ran.exit_code == 0) {
      EXPECT_THAT(ran.out, testing::StartsWith(right)) << "byte " << at;
      continue;
    }
    EXPECT_EQ(ran.exit_code, 3) << "byte " << at << " of " << bytes.size() << ": " << ran.out;
    EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 1) << ran.out;
  }
  EXPECT_THAT(right, HasSubstr("worker"));
}

}  // namespace
}  // namespace ktstr

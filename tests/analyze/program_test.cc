// ktstr-analyze as a user runs it: output, errors, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "archives.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

struct Ran {
  int exit_code;
  std::string out;  // standard output and standard error together
};

// Runs the program through a shell, so that arguments are written as a user writes them.
Ran Ask(const std::string& arguments) {
  const std::string command = std::string(KTSTR_ANALYZE) + " " + arguments + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  Ran ran{-1, ""};
  std::array<char, 4096> buffer;
  for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    ran.out.append(buffer.data(), n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ran.exit_code = WEXITSTATUS(status);
  return ran;
}

class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest() {
    setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1);
    archive_ = (directory_ / "a.kts").string();
    WriteGuest(MakeGuest(), archive_);
  }

  TemporaryDirectory directory_;
  std::string archive_;
};

TEST_F(ProgramTest, TheSummaryIsOneScreen) {
  const Ran ran = Ask(archive_);
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("Linux 6.12.0-synthetic"));
  EXPECT_THAT(ran.out, HasSubstr("by vmcoreinfo, lstar, idt, cr3"));
  EXPECT_THAT(ran.out, HasSubstr("4 threads of 2 processes"));
  EXPECT_THAT(ran.out, HasSubstr("Everything asked for could be read."));
  EXPECT_LE(std::count(ran.out.begin(), ran.out.end(), '\n'), 40);
}

TEST_F(ProgramTest, TextOfTheGuestCannotDriveTheTerminal) {
  for (const char* command : {"", " log", " log --json"}) {
    const Ran ran = Ask(archive_ + command);
    EXPECT_THAT(ran.out, Not(HasSubstr("\x1b"))) << command;
  }
  EXPECT_THAT(Ask(archive_ + " log").out, HasSubstr("\\x1b[31mcolour"));
}

TEST_F(ProgramTest, EverySubcommandAnswersAsTextAndAsJsonWithAndWithoutAnIndex) {
  for (const std::string command : {"tasks", "cpus", "log", "sql 'SELECT * FROM task'"}) {
    const Ran text = Ask(archive_ + " " + command);
    EXPECT_EQ(text.exit_code, 0) << command;
    const Ran json = Ask(archive_ + " " + command + " --json");
    EXPECT_EQ(json.exit_code, 0) << command;
    const auto parsed = nlohmann::json::parse(json.out, nullptr, false);
    ASSERT_TRUE(parsed.is_array()) << command;
    ASSERT_FALSE(parsed.empty()) << command;
    EXPECT_TRUE(parsed[0].is_object()) << command;
    EXPECT_EQ(Ask(archive_ + " " + command + " --json --no-index").out, json.out) << command;
  }
  EXPECT_TRUE(nlohmann::json::accept(Ask(archive_ + " --json").out));
}

TEST_F(ProgramTest, HelpAndVersionAreNoErrors) {
  for (const char* arguments : {"--help", "--version", "sql --help", "tasks --help"}) {
    EXPECT_EQ(Ask(arguments).exit_code, 0) << arguments;
  }
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

TEST_F(ProgramTest, ADamagedArchiveIsExitCode3AndNeverAWrongAnswer) {
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
    EXPECT_EQ(ran.exit_code, 3) << "byte " << at << " of " << bytes.size() << ": " << ran.out;
    EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 1) << ran.out;
  }
  EXPECT_THAT(right, HasSubstr("worker"));
}

}  // namespace
}  // namespace ktstr

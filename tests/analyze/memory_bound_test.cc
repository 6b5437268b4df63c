// --memory bounds what a program takes, whatever the archive's size, and changes no answer.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "fixtures/sample/sample_guest.h"
#include "libcore/archive/writer.h"
#include "run_program.h"

extern char** environ;

namespace ktstr {
namespace {

using synthetic::TemporaryDirectory;

constexpr const char* kStall = KTSTR_STATE_DIR "/stall.kts";
// What README.md says that comes on top of --memory: the program, its libraries, the kernel's
// symbols and types, and tables of a small machine; for export the plan and what is written next;
// for salvage what is written next.
constexpr long kAnalyzeMiB = 64, kExportMiB = 48, kSalvageMiB = 64;

// The most that the program had in memory, in MiB; -1 when it did not end with 0. Its output goes
// nowhere.
long PeakOf(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t to_nowhere;
  posix_spawn_file_actions_init(&to_nowhere);
  for (const int fd : {1, 2}) {
    posix_spawn_file_actions_addopen(&to_nowhere, fd, "/dev/null", O_WRONLY, 0);
  }
  pid_t pid = 0;
  int status = -1;
  rusage usage = {};
  if (posix_spawn(&pid, argv[0], &to_nowhere, nullptr, argv.data(), environ) == 0) {
    wait4(pid, &status, 0, &usage);
  }
  posix_spawn_file_actions_destroy(&to_nowhere);
  return status == 0 ? usage.ru_maxrss / 1024 : -1;
}

// Runs `work` in a process of its own. A child's peak counts from its parent's size when it began,
// so that this process must stay small.
void Apart(const std::function<bool()>& work) {
  const pid_t pid = fork();
  if (pid == 0) _exit(work() ? 0 : 1);
  int status = -1;
  waitpid(pid, &status, 0);
  ASSERT_EQ(status, 0);
}

// 200 MiB of pages of which no two are the same.
std::string LargeArchive(const TemporaryDirectory& directory) {
  Apart([&] {
    const auto memory = synthetic::MakeRandomMemory(51200, 7);
    return WriteArchive(directory / "large.kts", {memory}, {}).has_value();
  });
  return (directory / "large.kts").string();
}

TEST(MemoryBoundTest, AnExportOfALargeArchiveStaysNearIt) {
  const TemporaryDirectory directory;
  const std::string archive = LargeArchive(directory);
  for (const auto& [size, bound] : {std::pair("4M", 4), std::pair("64M", 64)}) {
    const long peak = PeakOf({KTSTR_REPLAY, "export", archive, "-", "--memory", size});
    EXPECT_GT(peak, 0);
    EXPECT_LT(peak, bound + kExportMiB) << size;
  }
}

TEST(MemoryBoundTest, ASalvageOfALargeArchiveStaysNearIt) {
  const TemporaryDirectory directory;
  const std::string archive = LargeArchive(directory);
  std::filesystem::resize_file(archive, std::filesystem::file_size(archive) - 1000);
  for (const auto& [size, bound] : {std::pair("4M", 4), std::pair("64M", 64)}) {
    const std::string whole = (directory / size).string();
    const long peak = PeakOf({KTSTR_REPLAY, "salvage", archive, whole, "--memory", size});
    EXPECT_GT(peak, 0);
    EXPECT_LT(peak, bound + kSalvageMiB) << size;
  }
}

TEST(MemoryBoundTest, QuestionsToARealMachineStayNearIt) {
  for (const std::string question : {"summary", "tasks", "findings", "report"}) {
    std::vector<std::string> words = {KTSTR_ANALYZE, "--memory", "2M",
                                      "--no-index",  kStall,     question};
    if (question == "report") words.insert(words.end(), {"-o", "-"});
    const long peak = PeakOf(words);
    EXPECT_GT(peak, 0) << question;
    EXPECT_LT(peak, 2 + kAnalyzeMiB) << question;
  }
}

TEST(MemoryBoundTest, AnswersAreTheSameThroughATinyCache) {
  for (const char* question : {"summary", "findings --json", "tasks --json", "stack --all",
                               "memory --json", "sql 'SELECT * FROM stack_frame'",
                               "sql 'SELECT * FROM bpf_map_value' --csv", "dump", "report -o -"}) {
    const auto ask = [&](const char* memory) {
      return RunInShell(
          fmt::format("{} --no-index {} {} {}", KTSTR_ANALYZE, memory, kStall, question));
    };
    const Ran usual = ask(""), tiny = ask("--memory 64K");
    EXPECT_EQ(usual.exit_code, 0) << question << usual.err;
    EXPECT_EQ(tiny.exit_code, 0) << question << tiny.err;
    EXPECT_EQ(tiny.out, usual.out) << question;
  }
  const std::string export_raw = fmt::format("{} export {} - --format raw", KTSTR_REPLAY, kStall);
  const Ran same = RunInShell(fmt::format("cmp <({0} --memory 64K) <({0})", export_raw));
  EXPECT_EQ(same.exit_code, 0) << same.out << same.err;
}

TEST(MemoryBoundTest, WhatIsNoSizeIsWrongUsage) {
  const Ran analyze = RunInShell(fmt::format("{} --memory lots {}", KTSTR_ANALYZE, kStall));
  EXPECT_EQ(analyze.exit_code, 2);
  EXPECT_NE(analyze.err.find("--memory"), std::string::npos) << analyze.err;
  const Ran replay =
      RunInShell(fmt::format("{} symbols {} /dev/null --memory lots", KTSTR_REPLAY, kStall));
  EXPECT_EQ(replay.exit_code, 2);
}

}  // namespace
}  // namespace ktstr

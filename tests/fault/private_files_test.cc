// Proves that what the live side makes is its user's alone, whatever the umask: the directories and
// files of ktstr-run (results, logs, cache), the report of ktstr-capture boot, and of a QEMU of
// ours its console's file and its socket. A guest's log and memory hold keys.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "../guest/guest_tests.h"
#include "capture/qemu/qemu_process.h"
#include "capture/system/private_file.h"
#include "faulted_program.h"
#include "fixtures/sample/temporary_directory.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using synthetic::TemporaryDirectory;
using testing::Contains;
using testing::EndsWith;
using testing::IsEmpty;

std::string ModeOf(const fs::path& path) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) return "none";
  return fmt::format("{:o}", info.st_mode & 07777);
}

// All that is below a directory: "MODE PATH" of what others have any right to, and the paths.
struct Tree {
  std::vector<std::string> open, all;
};

Tree Look(const fs::path& directory) {
  Tree tree;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    struct stat info = {};
    lstat(entry.path().c_str(), &info);
    tree.all.push_back(entry.path());
    if ((info.st_mode & 077) != 0) {
      tree.open.push_back(ModeOf(entry.path()) + " " + entry.path().string());
    }
  }
  return tree;
}

class PrivateFilesTest : public testing::TestWithParam<const char*> {
 protected:
  // Runs a program under that umask, with caches and sockets below directory_.
  ProgramEnd Run(std::vector<std::string> argv) {
    argv.insert(
        argv.begin(),
        {"bash", "-c",
         fmt::format("umask {}; export XDG_CACHE_HOME={} XDG_RUNTIME_DIR={}; \"$@\"", GetParam(),
                     (directory_ / "cache").string(), (directory_ / "run").string()),
         "private_files_test"});
    return RunToEnd(argv);
  }

  TemporaryDirectory directory_;
};

TEST_P(PrivateFilesTest, OfATestThatKeepsItsMachine) {
  fs::create_directory(directory_ / "run");
  fs::permissions(directory_ / "run", fs::perms::owner_all);
  const fs::path scenario = directory_.path() / "s.toml";
  std::ofstream(scenario) << fmt::format(R"(
[run]
duration = "10s"
[machine]
kernel = "{}"
cpus = 1
memory = "256M"
[[phase]]
name = "only"
[[trigger]]
on = "phase"
phase = "only"
)",
                                         StockKernel("6.12").string());
  fs::permissions(scenario, fs::perms::owner_read);
  const ProgramEnd end =
      Run({KTSTR_RUN_PROGRAM, "--accel", "tcg", "--out", directory_ / "made/out", scenario});
  EXPECT_EQ(end.exit_code, 0) << end.said;
  const Tree tree = Look(directory_.path());
  EXPECT_THAT(tree.open, IsEmpty());
  EXPECT_THAT(tree.all, Contains(EndsWith("/made/out")));
  EXPECT_THAT(tree.all, Contains(EndsWith(".log")));
  EXPECT_THAT(tree.all, Contains(EndsWith(".kts")));
  EXPECT_THAT(tree.all, Contains(EndsWith("/warm")));
}

TEST_P(PrivateFilesTest, OfAMachineOfOurs) {
  const mode_t before = umask(mode_t(std::strtol(GetParam(), nullptr, 8)));
  MachineOptions options = Machine();
  options.accelerator = Accelerator::kTcg;
  options.console = directory_ / "console";
  options.qmp_socket = directory_ / "qmp";
  const auto qemu = QemuProcess::Start(options);
  umask(before);
  ASSERT_OK(qemu);
  EXPECT_EQ(ModeOf(options.console), "600");
  const auto socket = Look(directory_.path());
  EXPECT_THAT(socket.open, IsEmpty());
  EXPECT_THAT(socket.all, Contains(EndsWith("/qmp")));
}

TEST_P(PrivateFilesTest, WhereAFileWasThereBeforeItsRightsGo) {
  const fs::path file = directory_ / "file";
  std::ofstream(file) << "old";
  fs::permissions(file, fs::perms::all);
  ASSERT_OK(MakePrivateFile(file));
  EXPECT_EQ(ModeOf(file), "600");
  EXPECT_EQ(fs::file_size(file), 0u);
  const std::string null = ModeOf("/dev/null");
  ASSERT_OK(MakePrivateFile("/dev/null"));
  EXPECT_EQ(ModeOf("/dev/null"), null) << "a device is everybody's";
}

INSTANTIATE_TEST_SUITE_P(Umasks, PrivateFilesTest, testing::Values("000", "077"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return std::string("umask") + info.param;
                         });

}  // namespace
}  // namespace ktstr

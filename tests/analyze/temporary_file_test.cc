#include "analyze/index/temporary_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fixtures/sample/temporary_directory.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;

class TemporaryFileTest : public ::testing::Test {
 protected:
  size_t FileCount() {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator()));
  }
  synthetic::TemporaryDirectory directory_;
};

TEST_F(TemporaryFileTest, AppearsWholeAtItsPlaceWhenItIsKept) {
  const fs::path path = directory_ / "file";
  {
    TemporaryFile temporary(path);
    std::ofstream(temporary.path()) << "whole";
    EXPECT_FALSE(fs::exists(path));
    ASSERT_TRUE(temporary.Keep());
  }
  EXPECT_EQ(fs::file_size(path), 5u);
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(TemporaryFileTest, LeavesNothingWhenItIsNotKept) {
  {
    const TemporaryFile temporary(directory_ / "file");
    std::ofstream(temporary.path()) << "half";
  }
  EXPECT_EQ(FileCount(), 0u);
}

TEST_F(TemporaryFileTest, LeavesNothingWhenTheProcessIsInterrupted) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGINT, SIG_DFL);  // a shell's background processes ignore it
    const TemporaryFile temporary(directory_ / "file");
    std::ofstream(temporary.path()) << "half";
    raise(SIGINT);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
  EXPECT_EQ(FileCount(), 0u);
}

}  // namespace
}  // namespace ktstr

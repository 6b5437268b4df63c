#include "libcore/base/temporary_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
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
    TemporaryFile temporary = TemporaryFile::Beside(path).value();
    std::ofstream(temporary.path()) << "whole";
    EXPECT_FALSE(fs::exists(path));
    ASSERT_TRUE(temporary.Keep());
  }
  EXPECT_EQ(fs::file_size(path), 5u);
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(TemporaryFileTest, LeavesNothingWhenItIsNotKept) {
  {
    const TemporaryFile temporary = TemporaryFile::Beside(directory_ / "file").value();
    std::ofstream(temporary.path()) << "half";
  }
  EXPECT_EQ(FileCount(), 0u);
}

TEST_F(TemporaryFileTest, LeavesNothingWhenTheProcessIsInterrupted) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGINT, SIG_DFL);  // a shell's background processes ignore it
    const TemporaryFile temporary = TemporaryFile::Beside(directory_ / "file").value();
    std::ofstream(temporary.path()) << "half";
    raise(SIGINT);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
  EXPECT_EQ(FileCount(), 0u);
}

TEST_F(TemporaryFileTest, OfAKilledProcessGoesWithTheNextOne) {
  const pid_t child = fork();
  if (child == 0) {
    const TemporaryFile temporary = TemporaryFile::Beside(directory_ / "file").value();
    raise(SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(FileCount(), 1u);
  std::ofstream(directory_ / ".file.1.00000000.tmp") << "of somebody else";
  {
    const TemporaryFile living = TemporaryFile::Beside(directory_ / "other").value();
    const TemporaryFile next = TemporaryFile::Beside(directory_ / "file").value();
    EXPECT_TRUE(fs::exists(living.path())) << "somebody is still at it";
    EXPECT_EQ(FileCount(), 3u);
  }
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(TemporaryFileTest, IsForItsOwnerAlone) {
  const mode_t old = umask(0);
  const TemporaryFile file = TemporaryFile::Beside(directory_ / "file").value();
  umask(old);
  EXPECT_EQ(fs::status(file.path()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(TemporaryFileTest, ReplacesNoDeviceAndNoDirectory) {
  EXPECT_EQ(TemporaryFile::Beside("/dev/null").error().code(), ErrorCode::kExists);
  EXPECT_EQ(TemporaryFile::Beside(directory_.path()).error().code(), ErrorCode::kExists);
}

}  // namespace
}  // namespace ktstr

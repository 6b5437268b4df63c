#include "capture/system/child_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <thread>

#include "capture/system/memory_file.h"

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

TEST(ChildProcessTest, TellsHowItEndedAndKeepsWhatItSaid) {
  const UniqueFd said = *MakeMemoryFile("said");
  auto child =
      ChildProcess::Start({.argv = {"sh", "-c", "echo hello; exit 3"}, .stdout_fd = said.get()});
  ASSERT_TRUE(child) << child.error().ToString();
  EXPECT_EQ(DescribeWaitStatus(*child->Wait(After(seconds(30)))), "ended with exit status 3");
  EXPECT_EQ(*ReadTail(said.get(), 100), "hello\n");
}

TEST(ChildProcessTest, AProgramThatIsNotThereIsAnErrorAtOnce) {
  const auto child = ChildProcess::Start({.argv = {"no-such-program-anywhere"}});
  ASSERT_FALSE(child);
  EXPECT_THAT(child.error().ToString(), HasSubstr("no-such-program-anywhere"));
  EXPECT_EQ(ExitCodeFor(child.error().code()), ExitCode::kEnvironment);
}

TEST(ChildProcessTest, GetsOnlyTheFilesItIsGiven) {
  const UniqueFd kept = *MakeMemoryFile("kept");
  const UniqueFd secret(open("/etc/passwd", O_RDONLY));  // inherited by a plain fork and exec
  const UniqueFd said = *MakeMemoryFile("said");
  auto child = ChildProcess::Start({.argv = {"sh", "-c", "ls -l /proc/$$/fd"},
                                    .kept_fds = {kept.get()},
                                    .stdout_fd = said.get()});
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->Wait(After(seconds(30))));
  const std::string listing = *ReadTail(said.get(), 10'000);
  EXPECT_THAT(listing, HasSubstr("memfd:kept"));
  EXPECT_THAT(listing, testing::Not(HasSubstr("passwd")));
}

TEST(ChildProcessTest, GoesWithItsObject) {
  pid_t pid = 0;
  {
    const auto child = ChildProcess::Start({.argv = {"sleep", "1000"}});
    ASSERT_TRUE(child);
    pid = child->pid();
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(ChildProcessTest, OutlivesTheThreadThatStartedIt) {
  Result<ChildProcess> child = Fail(ErrorCode::kIo, "not started");
  std::thread([&child] { child = ChildProcess::Start({.argv = {"sleep", "1000"}}); }).join();
  ASSERT_TRUE(child);
  EXPECT_EQ(child->Wait(After(milliseconds(50))).error().code(), ErrorCode::kTimeout);
}

TEST(ChildProcessTest, EndsWhenWeAreKilled) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t helper = fork();
  if (helper == 0) {
    // A parent of its own, that is about to be killed without a chance to clean up.
    const auto child = ChildProcess::Start({.argv = {"sleep", "1000"}});
    const pid_t pid = child ? child->pid() : -1;
    std::ignore = write(pipe_fds[1], &pid, sizeof pid);
    for (;;) pause();
  }
  pid_t pid = -1;
  ASSERT_EQ(read(pipe_fds[0], &pid, sizeof pid), ssize_t(sizeof pid));
  ASSERT_GT(pid, 0);
  const UniqueFd watched(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  ASSERT_TRUE(watched.valid());
  kill(helper, SIGKILL);
  waitpid(helper, nullptr, 0);
  pollfd waiting = {watched.get(), POLLIN, 0};
  EXPECT_EQ(poll(&waiting, 1, 30'000), 1) << "the child still runs";
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

}  // namespace
}  // namespace ktstr

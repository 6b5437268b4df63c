// A guest of somebody else's goes on however the process ends that has stopped it, and nothing of
// the guard that sees to it is left afterwards.
#include "capture/thaw_guard.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <functional>
#include <memory>

#include "capture/freeze.h"
#include "fake_monitor.h"

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using Heard = FakeMonitor::Heard;

// In a process of its own, with a process group of its own: stops the guest, then does `end`. The
// signal that has ended it; 0 for none.
int FreezeAndEnd(FakeMonitor& monitor, const std::function<void()>& end) {
  const std::string address = monitor.address();
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    auto qmp = QmpClient::Connect(address);
    if (!qmp) _exit(1);
    auto frozen = Frozen::Freeze(**qmp);
    if (!frozen) _exit(1);
    end();
    _exit(2);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(ThawGuardTest, TheGuestOfAKilledProcessGoesOn) {
  FakeMonitor monitor("running");
  EXPECT_EQ(FreezeAndEnd(monitor, [] { kill(getpid(), SIGKILL); }), SIGKILL);
  EXPECT_TRUE(monitor.Await({1, "stop"}));
  EXPECT_TRUE(monitor.Await({2, "cont"}));
  EXPECT_TRUE(monitor.Await({2, "query-fdsets"})) << "files that were handed over are looked for";
  EXPECT_EQ(monitor.status(), "running");
}

TEST(ThawGuardTest, ASignalToTheWholeProcessGroupDoesNotReachIt) {
  FakeMonitor monitor("running");
  EXPECT_EQ(FreezeAndEnd(monitor, [] { kill(0, SIGKILL); }), SIGKILL);
  EXPECT_TRUE(monitor.Await({2, "cont"}));
}

TEST(ThawGuardTest, AnEndWithoutAWordIsNoticedToo) {
  FakeMonitor monitor("running");
  EXPECT_EQ(FreezeAndEnd(monitor, [] { _exit(3); }), 0);
  EXPECT_TRUE(monitor.Await({2, "cont"}));
}

TEST(ThawGuardTest, AGuestThatStoodStillBeforeStaysSo) {
  FakeMonitor monitor("paused");
  EXPECT_EQ(FreezeAndEnd(monitor, [] { kill(getpid(), SIGKILL); }), SIGKILL);
  EXPECT_TRUE(monitor.Await({2, "query-fdsets"}));
  EXPECT_THAT(monitor.heard(), Not(Contains(Heard{2, "cont"})));
}

TEST(ThawGuardTest, AGuestThatIsInAnotherStateByNowIsNotTouched) {
  FakeMonitor monitor("shutdown");
  // Of a guard that was told that the guest ran.
  { ASSERT_TRUE(ThawGuard::Start(monitor.address(), ThawGuard::Guest::kGoesOn)); }
  EXPECT_TRUE(monitor.Await({1, "query-fdsets"}));
  EXPECT_EQ(monitor.status(), "shutdown");
  EXPECT_GT(waitpid(-1, nullptr, 0), 0) << "it has ended";
}

TEST(ThawGuardTest, WhenTheGuestHasGoneOnNothingIsLeft) {
  FakeMonitor monitor("running");
  {
    const auto qmp = *QmpClient::Connect(monitor.address());
    auto frozen = Frozen::Freeze(*qmp);
    ASSERT_TRUE(frozen) << frozen.error().ToString();
    EXPECT_TRUE(frozen->Resume());
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD) << "no process of ours is left, not even one that has ended";
  }
  EXPECT_THAT(monitor.heard(), Not(Contains(testing::Field(&Heard::client, 2))));
}

TEST(ThawGuardTest, AMachineThatIsAbandonedIsNotLetGoOn) {
  FakeMonitor monitor("running");
  {
    const auto qmp = *QmpClient::Connect(monitor.address());
    auto frozen = Frozen::Freeze(*qmp);
    ASSERT_TRUE(frozen) << frozen.error().ToString();
    frozen->Abandon();
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  }
  EXPECT_EQ(monitor.status(), "paused");
}

TEST(ThawGuardTest, ItHoldsNoneOfOurFiles) {
  FakeMonitor monitor("running");
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);  // not closed on exec
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  auto guard = ThawGuard::Start(monitor.address(), ThawGuard::Guest::kGoesOn);
  ASSERT_TRUE(guard) << guard.error().ToString();
  writer.Close();
  char byte;
  fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  EXPECT_EQ(read(reader.get(), &byte, 1), 0) << "somebody else has the other end";
  guard->Dismiss();
}

TEST(ThawGuardTest, NoSignalButKillEndsIt) {
  FakeMonitor monitor("paused");
  pid_t pid;
  {
    auto guard = ThawGuard::Start(monitor.address(), ThawGuard::Guest::kGoesOn);
    ASSERT_TRUE(guard) << guard.error().ToString();
    pid = guard->pid();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) kill(pid, signal);
  }
  EXPECT_TRUE(monitor.Await({1, "cont"}));
  int status = -1;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
}

TEST(ThawGuardTest, AGuestWhoseStopWasNotAnsweredGoesOnAsSoonAsItCan) {
  FakeMonitor monitor("running", "stop");
  {
    const auto qmp = *QmpClient::Connect(monitor.address());
    qmp->SetTimeout(milliseconds(50));
    const auto frozen = Frozen::Freeze(*qmp);
    ASSERT_FALSE(frozen);
    EXPECT_EQ(frozen.error().code(), ErrorCode::kTimeout);
    EXPECT_THAT(frozen.error().ToString(), HasSubstr("'stop' within 50 ms"));
    EXPECT_EQ(monitor.status(), "running") << "QEMU answers what follows";
  }
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "and no guard is left";
}

TEST(ThawGuardTest, WhereEvenTheLastWordIsNotAnsweredTheGuardSeesToIt) {
  FakeMonitor monitor("running", "cont");
  {
    const auto qmp = *QmpClient::Connect(monitor.address());
    qmp->SetTimeout(milliseconds(50));
    auto frozen = Frozen::Freeze(*qmp);
    ASSERT_TRUE(frozen) << frozen.error().ToString();
    const auto resumed = frozen->Resume();
    ASSERT_FALSE(resumed);
    EXPECT_EQ(resumed.error().code(), ErrorCode::kTimeout);
    EXPECT_THAT(resumed.error().ToString(), HasSubstr("goes on when QEMU answers again"));
    monitor.SetStatus("paused");  // a QEMU that has not heard
  }
  EXPECT_TRUE(monitor.Await({2, "cont"}));
  EXPECT_EQ(waitpid(-1, nullptr, 0) > 0, true) << "and then it ends";
}

}  // namespace
}  // namespace ktstr

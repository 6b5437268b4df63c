#include "capture/guest/at_work.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <thread>

namespace ktstr::guest {
namespace {

using std::chrono::milliseconds;

TEST(AtWorkTest, TellsOncePerIntervalHoweverOftenItIsCalled) {
  int told = 0;
  AtWork at_work([&] { ++told; }, std::chrono::hours(1));
  for (int i = 0; i < 1000; ++i) at_work.Tell();
  EXPECT_EQ(told, 0);
  AtWork always([&] { ++told; }, milliseconds(0));
  for (int i = 0; i < 3; ++i) always.Tell();
  EXPECT_EQ(told, 3);
}

TEST(PulseTest, TellsOfAThreadThatRuns) {
  std::atomic<int> told = 0;
  AtWork at_work([&] { ++told; }, milliseconds(10));
  const Pulse pulse(at_work);
  while (told < 3) continue;
}

TEST(PulseTest, IsSilentAboutAThreadThatIsStuck) {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  std::atomic<int> told_of_stuck = 0;
  std::thread stuck([&] {
    AtWork at_work([&] { ++told_of_stuck; }, milliseconds(10));
    const Pulse pulse(at_work);
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return over; });
  });
  // So many intervals of the same length pass meanwhile.
  std::atomic<int> told = 0;
  {
    AtWork at_work([&] { ++told; }, milliseconds(10));
    const Pulse pulse(at_work);
    while (told < 20) continue;
  }
  // Its way to where it waits is work.
  EXPECT_LT(told_of_stuck, 10);
  {
    const std::lock_guard lock(mutex);
    over = true;
  }
  changed.notify_one();
  stuck.join();
}

}  // namespace
}  // namespace ktstr::guest

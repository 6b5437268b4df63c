// Proves that capturing one guest again and again, letting it go on and analysing each archive,
// leaks nothing: neither memory nor open files of QEMU's or ours, no file, no process; and that the
// guest is unharmed: each worker of it goes on, its clock loses no more than the stops, and its
// kernel complains of nothing.
//
// KTSTR_SOAK_ROUNDS in the environment is how often (tests/fault/soak.sh: 200).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "../guest/guest_tests.h"
#include "../guest/run_program.h"
#include "capture/capture.h"
#include "capture/system/processes.h"
#include "faulted_program.h"
#include "steady_guest.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using synthetic::TemporaryDirectory;

// What allocators keep, for all rounds together: a leak of a page of the guest's in each of 200, or
// of one capture's buffers in ten, is more.
constexpr uint64_t kMemorySlackKiB = 24 << 10;
// Of ours every byte in use is known, whatever its allocator keeps: a page in each of 200 rounds is
// more.
constexpr uint64_t kInUseSlackKiB = 512;
// QEMU's threads for its disks and the like come and go.
constexpr size_t kFileSlack = 4;
// From when the guest stands to when we know it, and the same when it goes on, on a busy machine.
constexpr milliseconds kClockSlackEach(50), kClockSlack(1000);

int RoundsAsked() {
  const char* asked = std::getenv("KTSTR_SOAK_ROUNDS");
  return asked == nullptr ? 10 : std::max(std::atoi(asked), 5);
}

// Memory of a process's own, in KiB: the guest's RAM is shared, and none of it.
uint64_t OwnMemory(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10);
  }
  return 0;
}

// Children of ours, those that have ended and nobody has waited for too.
size_t Children() {
  size_t children = 0;
  for (const pid_t pid : ListProcesses()) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string line;
    std::getline(file, line);
    const size_t name_end = line.rfind(") ");
    children += name_end != std::string::npos && std::atoi(line.c_str() + name_end + 4) == getpid();
  }
  return children;
}

// Memory that this process has allocated and not freed, in KiB.
uint64_t InUse() {
  const auto info = mallinfo2();
  return (info.uordblks + info.hblkhd) >> 10;
}

struct Holdings {
  uint64_t qemu_kib, our_kib, in_use_kib;
  size_t qemu_files, our_files, children, threads;
};

Holdings Look(const SteadyGuest& guest) {
  const pid_t qemu = guest.pid(), we = getpid();
  const auto threads = fs::directory_iterator("/proc/self/task");
  // What was freed, but lies below what was not, goes back to the system only when it is told to.
  malloc_trim(0);
  return {OwnMemory(qemu),
          OwnMemory(we),
          InUse(),
          OpenFiles(qemu),
          OpenFiles(we),
          Children(),
          size_t(std::distance(begin(threads), end(threads)))};
}

class SoakTest : public testing::Test {
 protected:
  // One capture, analysed. How long the guest stood still; adds what its kernel complains of.
  microseconds Round(SteadyGuest& guest) {
    auto qmp = QmpClient::Connect(guest.socket());
    EXPECT_OK(qmp);
    if (!qmp) return {};
    CaptureOptions options;
    options.output = directory_ / "a.kts";
    const auto summary = Capture(**qmp, options);
    EXPECT_OK(summary);
    EXPECT_EQ(Rows(options.output, "SELECT count(*) > 20 FROM task"),
              std::vector<std::string>{"1"});
    EXPECT_THAT(Rows(options.output, "SELECT text FROM log WHERE level <= 3"), testing::IsEmpty());
    fs::remove(options.output);
    fs::remove(options.output + ".index");
    EXPECT_TRUE(directory_.empty());
    return summary ? summary->frozen_for : microseconds();
  }

  TemporaryDirectory directory_;
};

TEST_F(SoakTest, CapturingAGuestAgainAndAgainLeaksNothingAndDoesNotHarmIt) {
  const auto booted = SteadyGuest::Boot();
  ASSERT_OK(booted);
  SteadyGuest& guest = **booted;
  EXPECT_EQ(guest.WhoStands(), "");
  // What is made once and kept is made in the first rounds.
  for (int round = 0; round < 3; ++round) Round(guest);
  const Holdings before = Look(guest);
  const auto guest_begin = guest.Clock();
  const auto begin = steady_clock::now();
  ASSERT_OK(guest_begin);
  nanoseconds stood_still{};
  const int rounds = RoundsAsked();
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    stood_still += Round(guest);
    EXPECT_EQ(guest.WhoStands(), "");
  }
  const auto guest_end = guest.Clock();
  const auto took = steady_clock::now() - begin;
  ASSERT_OK(guest_end);
  const auto lost = took - (*guest_end - *guest_begin) - stood_still;
  const auto slack = kClockSlack + rounds * kClockSlackEach;
  EXPECT_LT(std::chrono::abs(lost), slack)
      << "the guest stood still for " << stood_still.count() / 1000000 << " ms of "
      << took.count() / 1000000 << " ms, and lost " << lost.count() / 1000000 << " ms beside";
  const Holdings after = Look(guest);
  EXPECT_LE(after.qemu_files, before.qemu_files + kFileSlack);
  EXPECT_EQ(after.our_files, before.our_files);
  EXPECT_EQ(after.children, before.children);
  EXPECT_EQ(after.threads, before.threads);
  EXPECT_LE(after.qemu_kib, before.qemu_kib + kMemorySlackKiB);
  EXPECT_LE(after.our_kib, before.our_kib + kMemorySlackKiB);
  EXPECT_LE(after.in_use_kib, before.in_use_kib + kInUseSlackKiB);
  fmt::print(
      "{} rounds in {} s, the guest stood still for {} ms in each; QEMU {} -> {} KiB and {} -> {} "
      "files, we {} -> {} KiB ({} -> {} in use) and {} -> {} files\n",
      rounds, took.count() / 1'000'000'000, stood_still.count() / 1'000'000 / rounds,
      before.qemu_kib, after.qemu_kib, before.qemu_files, after.qemu_files, before.our_kib,
      after.our_kib, before.in_use_kib, after.in_use_kib, before.our_files, after.our_files);
}

}  // namespace
}  // namespace ktstr

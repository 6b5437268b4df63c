// Proves that kill -9 at any point of a capture does no harm: before this or that call of the
// system, from the program's first to its last, the name of the archive holds nothing or a whole
// archive (or with --force the one that was there), the next capture works and leaves nothing else
// in its directory, and the guest, which is one and the same all the time, goes on working.
//
// strace sends the signal. KTSTR_KILL_POINTS in the environment is at how many points it does
// (tests/fault/capture_kills.sh: 100).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "../guest/guest_tests.h"
#include "faulted_program.h"
#include "libcore/archive/reader.h"
#include "steady_guest.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using synthetic::TemporaryDirectory;

int PointsAsked() {
  const char* asked = std::getenv("KTSTR_KILL_POINTS");
  return asked == nullptr ? 12 : std::max(std::atoi(asked), 1);
}

// A call of the system as strace counts those of one name; the first is 1.
struct Call {
  std::string name;
  int number;
};

// How often the program waits depends on who is faster, and how often it asks for memory on the
// guest: of those there may be fewer the next time.
constexpr std::array kVary = {"futex",   "poll",     "recvfrom", "lseek",
                              "madvise", "mprotect", "munmap",   "brk"};

std::vector<Call> ReadCalls(const std::string& trace) {
  std::vector<Call> calls;
  std::map<std::string, int> count;
  std::ifstream file(trace);
  for (std::string line; std::getline(file, line);) {
    const std::string name = line.substr(0, line.find('('));
    const bool varies = std::ranges::find(kVary, name) != kVary.end();
    if (name.size() < line.size() && !varies) calls.push_back({name, ++count[name]});
  }
  return calls;
}

// Half of them are the last calls, where the file gets its name; the others are evenly spread.
std::vector<Call> ChoosePoints(const std::vector<Call>& calls, size_t wanted) {
  std::vector<Call> points;
  const size_t last = std::min(wanted / 2, size_t{30}), spread = wanted - last;
  for (size_t i = 0; i < spread; ++i) points.push_back(calls[i * (calls.size() - last) / spread]);
  points.insert(points.end(), calls.end() - ptrdiff_t(last), calls.end());
  return points;
}

class CaptureKillsTest : public testing::TestWithParam<bool> {
 protected:
  // The command line of a capture, behind strace with these options.
  std::vector<std::string> Capture(SteadyGuest& guest, std::vector<std::string> strace) const {
    std::vector<std::string> argv = {"strace", "-qq", "-o", trace()};
    argv.insert(argv.end(), strace.begin(), strace.end());
    argv.insert(argv.end(), {KTSTR_CAPTURE_PROGRAM, "--qmp", guest.socket(), "-o", archive()});
    if (GetParam()) argv.push_back("--force");
    return argv;
  }
  std::string archive() const { return out_ / "a.kts"; }
  std::string trace() const { return files_ / "trace"; }

  // What a capture's main thread calls, once there is one that is whole.
  std::vector<Call> CallsOfACapture(SteadyGuest& guest) const {
    const ProgramEnd end = RunToEnd(Capture(guest, {}));
    EXPECT_EQ(end.exit_code, 0) << end.said;
    return ReadCalls(trace());
  }

  // The call before which the program was killed.
  std::string LastCall() const {
    std::ifstream file(trace());
    std::string line, last;
    while (std::getline(file, line)) {
      if (!line.starts_with("+++")) last = line;
    }
    return last.substr(0, 100);
  }

  // The archive that is there. Digest of it; empty when there is none.
  std::string WholeArchive() const {
    if (!fs::exists(archive())) return "";
    const auto reader = ArchiveReader::Open(archive());
    EXPECT_OK(reader);
    if (!reader) return "damaged";
    std::vector<std::byte> bytes((*reader)->pages_per_frame() * kPageSize);
    for (uint64_t frame = 0; frame < (*reader)->frame_count(); ++frame) {
      const uint64_t pages = (*reader)->pages_in_frame(frame);
      EXPECT_OK((*reader)->ReadFrame(frame, std::span(bytes.data(), pages * kPageSize)));
    }
    return fmt::format("{}", (*reader)->digest());
  }

  TemporaryDirectory out_, files_;
};

TEST_P(CaptureKillsTest, LeaveNothingOrAWholeArchiveAndAGuestThatGoesOn) {
  const auto booted = SteadyGuest::Boot();
  ASSERT_OK(booted);
  SteadyGuest& guest = **booted;
  const bool force = GetParam();
  const std::vector<Call> calls = CallsOfACapture(guest);
  ASSERT_GT(calls.size(), 100u) << "strace saw no program at work";
  if (!force) fs::remove(archive());
  std::string before = WholeArchive();
  int killed = 0;
  const size_t files = OpenFiles(guest.pid());
  for (const auto& [name, number] : ChoosePoints(calls, PointsAsked())) {
    const ProgramEnd end = RunToEnd(
        Capture(guest, {"-e", fmt::format("inject={}:signal=KILL:when={}", name, number)}));
    SCOPED_TRACE(fmt::format("killed before {} {}: {}", name, number, LastCall()));
    killed += end.exit_code == -1;
    EXPECT_THAT(end.exit_code, testing::AnyOf(-1, 0)) << end.said;
    EXPECT_TRUE(AwaitGuards());
    EXPECT_EQ(AwaitRunning(guest.machine().qmp()), "running");
    EXPECT_EQ(guest.WhoStands(), "");
    EXPECT_EQ(HandedFiles(guest.machine().qmp()), 0u);
    const std::string now = WholeArchive();
    if (force) {
      EXPECT_NE(now, "") << "the archive that was there is gone";
    } else {
      fs::remove(archive());
    }
    if (HasFailure()) break;
  }
  // A capture may make a few calls less than another.
  EXPECT_GE(killed, PointsAsked() * 9 / 10);
  EXPECT_LE(OpenFiles(guest.pid()), files + 1) << "QEMU has kept files of ours";
  const ProgramEnd end = RunToEnd(Capture(guest, {}));
  EXPECT_EQ(end.exit_code, 0) << end.said;
  EXPECT_NE(WholeArchive(), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(out_.path()), fs::directory_iterator()), 1)
      << "something was left beside the archive";
}

INSTANTIATE_TEST_SUITE_P(Archives, CaptureKillsTest, testing::Values(false, true),
                         [](const testing::TestParamInfo<bool>& info) {
                           return info.param ? "ThatReplaceOne" : "ThatAreNew";
                         });

}  // namespace
}  // namespace ktstr

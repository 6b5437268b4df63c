// Proves that on a file system that is really full, from the first byte or in the middle of a file,
// every program that writes one says so by exit code 4 and a sentence, that nothing is left of the
// file under its name or any other, and that the next run works once there is room. One that
// answers without the file answers right.
//
// Mounts file systems of its own, for this process alone; where that is not allowed, it is skipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include "../../analyze/archives.h"
#include "../../analyze/run_program.h"
#include "../small_disk.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::HasSubstr;

// Writes a file or more to the directory "disk".
struct Writer {
  std::string name;
  std::string command;   // DIR stands for the directory that "disk" and two archives are in
  bool answers = false;  // without the file, too
};

void PrintTo(const Writer& writer, std::ostream* os) { *os << writer.name; }

class FullDiskTest : public testing::TestWithParam<Writer> {
 protected:
  void SetUp() override {
    fs::create_directory(disk());
    disk_.emplace(disk());
    if (!disk_->why_not().empty()) GTEST_SKIP() << disk_->why_not();
    setenv("XDG_CACHE_HOME", (disk() / "cache").c_str(), 1);
    WriteGuest(MakeGuest(), directory_ / "a.kts");
    WriteGuest(MakeGuest(5), directory_ / "b.kts");
    fs::copy_file(directory_ / "a.kts", disk() / "a.kts");
    ASSERT_EQ(Run(KTSTR_ANALYZE " corpus add DIR/disk/corpus DIR/b.kts").exit_code, 0);
    std::ofstream(directory_ / "request")
        << R"({"direction":"write","entries":[{"target":{"symbol":"jiffies_64"},"value":{"u64":1}}]})";
    ASSERT_EQ(Run(KTSTR_REPLAY " export DIR/a.kts DIR/dump").exit_code, 0);
    fs::copy(disk(), directory_ / "before", fs::copy_options::recursive);
  }
  fs::path disk() const { return directory_ / "disk"; }
  void Reset() {
    for (const auto& entry : fs::directory_iterator(disk())) fs::remove_all(entry);
    fs::copy(directory_ / "before", disk(), fs::copy_options::recursive);
  }
  Ran Run(std::string command) {
    const std::string place = directory_.path();
    for (size_t at; (at = command.find("DIR")) != std::string::npos;) command.replace(at, 3, place);
    return RunInShell(command);
  }

  const synthetic::TemporaryDirectory directory_;
  std::optional<SmallDisk> disk_;
};

TEST_P(FullDiskTest, ItSaysSoAndLeavesNothing) {
  const Writer& writer = GetParam();
  const std::set<std::string> before = disk_->Files();
  const uint64_t room = disk_->Free();
  const Ran well = Run(writer.command);
  ASSERT_EQ(well.exit_code, 0) << well.err;
  const uint64_t needed = room - disk_->Free(), page = sysconf(_SC_PAGESIZE);
  ASSERT_GE(needed, page);
  const std::set<std::string> whole = disk_->Files();
  ASSERT_GT(whole.size(), before.size());
  for (const uint64_t left : std::set<uint64_t>{0, page, needed / 4 / page * page,
                                                needed / 2 / page * page, needed - page}) {
    if (left >= needed) continue;
    SCOPED_TRACE(fmt::format("{} of {} bytes are left", left, needed));
    Reset();
    ASSERT_NO_FATAL_FAILURE(disk_->Fill(left));
    const Ran ran = Run(writer.command);
    if (writer.answers) {
      EXPECT_EQ(ran.exit_code, 0) << ran.err;
      EXPECT_EQ(ran.out, well.out);
    } else {
      EXPECT_EQ(ran.exit_code, 4) << ran.out;
      EXPECT_THAT(ran.err, AnyOf(HasSubstr("No space left on device"), HasSubstr("full")));
      EXPECT_EQ(ran.out, "");
    }
    EXPECT_EQ(disk_->Files(), before);
    disk_->Empty();
    EXPECT_EQ(Run(writer.command).exit_code, 0);
    EXPECT_EQ(disk_->Files(), whole);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, FullDiskTest,
    testing::Values(
        Writer{"Index", KTSTR_ANALYZE " DIR/disk/a.kts tasks", true},
        Writer{"Report", KTSTR_ANALYZE " DIR/a.kts report -o DIR/disk/a.html --no-index"},
        Writer{"Perfetto", "XDG_CACHE_HOME=DIR " KTSTR_ANALYZE " " KTSTR_STATES
                           "/traced.kts perfetto --no-index -o DIR/disk/trace"},
        Writer{"Export", KTSTR_ANALYZE " DIR/a.kts export-db DIR/disk/a.db --no-index"},
        Writer{"CorpusAdd", KTSTR_ANALYZE " corpus add DIR/disk/corpus DIR/a.kts"},
        Writer{"CorpusPack", KTSTR_ANALYZE " corpus pack DIR/disk/corpus DIR/disk/pack"},
        Writer{"OpsSave",
               KTSTR_REPLAY " ops DIR/a.kts --request DIR/request --save DIR/disk/c.kts"},
        Writer{"Scrub", "XDG_CACHE_HOME=DIR " KTSTR_REPLAY " scrub " KTSTR_STATES
                        "/stall.kts DIR/disk/c.kts"},
        Writer{"Salvage", KTSTR_REPLAY " salvage DIR/a.kts DIR/disk/c.kts"},
        Writer{"ExportElf", KTSTR_REPLAY " export DIR/a.kts DIR/disk/dump"},
        Writer{"ExportKdump", KTSTR_REPLAY " export DIR/a.kts DIR/disk/dump --format kdump"},
        Writer{"ExportRaw", KTSTR_REPLAY " export DIR/a.kts DIR/disk/dump --format raw"},
        Writer{"Import", KTSTR_REPLAY " import DIR/dump -o DIR/disk/c.kts"},
        Writer{"Symbols", KTSTR_REPLAY " symbols DIR/a.kts -o DIR/disk/symbols"}),
    [](const auto& writer) { return writer.param.name; });

}  // namespace
}  // namespace ktstr

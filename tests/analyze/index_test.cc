#include "analyze/index/index.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "analyze/index/seal.h"
#include "analyze/index/tables.h"
#include "analyze/text/folded_stacks.h"
#include "analyze/text/summary.h"
#include "archives.h"
#include "libcore/archive/container.h"
#include "libcore/base/text_file.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class IndexTest : public ::testing::Test {
 protected:
  IndexTest() {
    setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1);
    archive_ = directory_ / "a.kts";
    WriteGuest(MakeGuest(), archive_);
  }

  int64_t Count(const Database& index, const std::string& table) {
    return std::get<int64_t>(index.Query("SELECT count(*) FROM " + table)->rows[0][0]);
  }

  TemporaryDirectory directory_;
  fs::path archive_;
};

TEST_F(IndexTest, HoldsEveryTableAndStandsBesideTheArchive) {
  const auto index = OpenIndex(archive_, {});
  ASSERT_TRUE(index) << index.error().ToString();
  EXPECT_EQ(Count(*index, "task"), 2 + 1 + 3);
  EXPECT_EQ(Count(*index, "cpu"), 2);
  EXPECT_EQ(Count(*index, "log"), 2);
  EXPECT_EQ(Count(*index, "vcpu"), 2);
  EXPECT_EQ(Count(*index, "tag"), 1);
  EXPECT_EQ(Count(*index, "anomaly"), 0);
  EXPECT_EQ(index->Query("SELECT sum(pages) FROM memory")->rows[0][0],
            Value(int64_t{64 << 20 >> 12}));
  EXPECT_TRUE(fs::exists(archive_.string() + ".index"));
}

TEST_F(IndexTest, TheLogCanBeSearchedByWords) {
  for (const bool use_file : {true, false}) {
    const auto index = OpenIndex(archive_, {.use_file = use_file});
    ASSERT_TRUE(index) << index.error().ToString();
    const auto found = index->Query(
        "SELECT time_ns, snippet(log_text, 3, '[', ']', '', 8) FROM log_text WHERE log_text MATCH "
        "'linux' ORDER BY rank");
    ASSERT_TRUE(found) << found.error().ToString();
    ASSERT_EQ(found->rows.size(), 1u);
    EXPECT_EQ(found->rows[0][0], Value(int64_t{0}));
    EXPECT_EQ(found->rows[0][1], Value("[Linux] version synthetic"));
    EXPECT_FALSE(index->Query("INSERT INTO log_text(log_text) VALUES ('rebuild')"));
  }
}

TEST_F(IndexTest, IsReadTheSecondTimeNotBuilt) {
  ASSERT_TRUE(OpenIndex(archive_, {}));
  // What a rebuilt index would have.
  {
    Database writable =
        Database::Open(archive_.string() + ".index", Database::Mode::kCreate).value();
    ASSERT_TRUE(writable.Execute("DELETE FROM task"));
  }
  ASSERT_TRUE(SealIndex(archive_.string() + ".index"));
  const auto again = OpenIndex(archive_, {});
  ASSERT_TRUE(again);
  EXPECT_EQ(Count(*again, "task"), 0);
}

TEST_F(IndexTest, TellsHowFarItIsWhileItIsBuilt) {
  std::vector<uint64_t> seen;
  uint64_t all = 0;
  const IndexOptions options = {.progress = [&](uint64_t done, uint64_t of) {
    seen.push_back(done);
    all = of;
  }};
  ASSERT_TRUE(OpenIndex(archive_, options));
  ASSERT_GT(seen.size(), 5u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.front(), 0u);
  EXPECT_EQ(seen.back(), all);
  seen.clear();
  ASSERT_TRUE(OpenIndex(archive_, options));
  EXPECT_TRUE(seen.empty());
}

TEST_F(IndexTest, OfAnotherArchiveIsNeverRead) {
  ASSERT_TRUE(OpenIndex(archive_, {}));
  WriteGuest(MakeGuest(7), archive_);
  const auto index = OpenIndex(archive_, {});
  ASSERT_TRUE(index);
  EXPECT_EQ(Count(*index, "task"), 2 + 1 + 7);
}

TEST_F(IndexTest, OfAnotherSchemaIsRebuilt) {
  ASSERT_TRUE(OpenIndex(archive_, {}));
  {
    Database writable =
        Database::Open(archive_.string() + ".index", Database::Mode::kCreate).value();
    ASSERT_TRUE(writable.Execute("UPDATE index_key SET schema = 'older'; DELETE FROM task"));
  }
  ASSERT_TRUE(SealIndex(archive_.string() + ".index"));
  const auto index = OpenIndex(archive_, {});
  ASSERT_TRUE(index);
  EXPECT_EQ(Count(*index, "task"), 2 + 1 + 3);
}

TEST_F(IndexTest, ThatSomebodyChangedIsRebuilt) {
  ASSERT_TRUE(OpenIndex(archive_, {}));
  {
    Database writable =
        Database::Open(archive_.string() + ".index", Database::Mode::kCreate).value();
    ASSERT_TRUE(writable.Execute("DELETE FROM task"));
  }
  const auto index = OpenIndex(archive_, {});
  ASSERT_TRUE(index);
  EXPECT_EQ(Count(*index, "task"), 2 + 1 + 3);
}

TEST_F(IndexTest, InWhichAnyBitHasFlippedIsRebuilt) {
  ASSERT_TRUE(OpenIndex(archive_, {}));
  const fs::path file = archive_.string() + ".index";
  const std::string whole = ReadTextFile(file).value();
  ASSERT_TRUE(SealHolds(file));
  // Some in every part, the seal included.
  for (size_t at = 0; at < whole.size(); at += at < 128 ? 1 : whole.size() / 200) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ (1 << at % 8));
    ASSERT_TRUE(WriteTextFile(file, changed));
    EXPECT_FALSE(SealHolds(file)) << "byte " << at;
  }
  ASSERT_TRUE(WriteTextFile(file, whole.substr(0, whole.size() / 2)));
  EXPECT_FALSE(SealHolds(file));
  const auto index = OpenIndex(archive_, {});
  ASSERT_TRUE(index);
  EXPECT_EQ(Count(*index, "task"), 2 + 1 + 3);
  EXPECT_TRUE(SealHolds(file));
}

TEST_F(IndexTest, IsForItsOwnerAlone) {
  const mode_t old = umask(0);
  ASSERT_TRUE(OpenIndex(archive_, {}));
  umask(old);
  EXPECT_EQ(fs::status(archive_.string() + ".index").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(IndexTest, StandsBesideTheFileThatADescriptorNames) {
  const int fd = open(archive_.c_str(), O_RDONLY);
  EXPECT_EQ(IndexPaths(fmt::format("/proc/self/fd/{}", fd), "digest").front(),
            fs::canonical(archive_).string() + ".index");
  fs::remove(archive_);
  for (const std::string& path : IndexPaths(fmt::format("/proc/self/fd/{}", fd), "digest")) {
    EXPECT_THAT(path, testing::StartsWith((directory_ / "cache").string()));
  }
  close(fd);
  EXPECT_EQ(IndexPaths("/dev/shm/x.kts", "digest").front(), "/dev/shm/x.kts.index");
}

// Asked for its key, this one would count for ever.
TEST_F(IndexTest, OfSomebodyElsesMakingIsNotAsked) {
  ASSERT_TRUE(OpenIndex(archive_, {}));
  {
    Database writable =
        Database::Open(archive_.string() + ".index", Database::Mode::kCreate).value();
    ASSERT_TRUE(writable.Execute(
        "DROP TABLE index_key; CREATE VIEW index_key AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL "
        "SELECT x + 1 FROM n) SELECT max(x) AS digest, max(x) AS schema FROM n"));
  }
  ASSERT_TRUE(SealIndex(archive_.string() + ".index"));
  const auto index = OpenIndex(archive_, {});
  ASSERT_TRUE(index) << index.error().ToString();
  EXPECT_EQ(index->Query("SELECT type FROM sqlite_schema WHERE name = 'index_key'")->rows[0][0],
            Value(std::string("table")));
}

// The column says what a cell should be, but SQLite takes any.
TEST_F(IndexTest, CellsOfOtherTypesThanTheirColumnsAreNoDanger) {
  ASSERT_TRUE(OpenIndex(archive_, {}));
  {
    Database writable =
        Database::Open(archive_.string() + ".index", Database::Mode::kCreate).value();
    ASSERT_TRUE(writable.Execute(
        "INSERT INTO stack_frame (task_kva, depth, kind) VALUES (NULL, 'x', 7), (NULL, 1, NULL);"
        "UPDATE task SET pid = 'x', task_kva = 1.5; UPDATE machine SET value = 7"));
  }
  ASSERT_TRUE(SealIndex(archive_.string() + ".index"));
  const auto index = OpenIndex(archive_, {});
  ASSERT_TRUE(index);
  EXPECT_EQ(Count(*index, "stack_frame WHERE kind = 7"), 1);
  EXPECT_TRUE(FoldedStackText(*index));
  EXPECT_TRUE(FoldedStackJson(*index));
  EXPECT_TRUE(SummaryText(*index, "a.kts", 100));
  EXPECT_TRUE(SummaryJson(*index));
}

TEST_F(IndexTest, AFileThatIsNoIndexIsReplaced) {
  std::ofstream(archive_.string() + ".index") << "something else";
  const auto index = OpenIndex(archive_, {});
  ASSERT_TRUE(index);
  EXPECT_EQ(Count(*index, "task"), 2 + 1 + 3);
}

TEST_F(IndexTest, GoesToTheCacheWhenItCannotStandBesideTheArchive) {
  // A directory in the index's place refuses it even to root.
  fs::create_directory(archive_.string() + ".index");
  std::ofstream(archive_.string() + ".index/occupied");
  const auto index = OpenIndex(archive_, {});
  ASSERT_TRUE(index) << index.error().ToString();
  EXPECT_EQ(Count(*index, "task"), 2 + 1 + 3);
  EXPECT_FALSE(fs::is_empty(directory_ / "cache/ktstr/index"));
}

TEST_F(IndexTest, WithoutAFileWritesNothing) {
  const auto index = OpenIndex(archive_, {.use_file = false});
  ASSERT_TRUE(index);
  EXPECT_EQ(Count(*index, "task"), 2 + 1 + 3);
  EXPECT_FALSE(fs::exists(archive_.string() + ".index"));
  EXPECT_FALSE(fs::exists(directory_ / "cache"));
}

TEST_F(IndexTest, IsMadeInMemoryWhenNoFileMayGrow) {
  // Refuses while tables are written, as a full disk does.
  signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {16384, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto index = OpenIndex(archive_, {});
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_TRUE(index) << index.error().ToString();
  EXPECT_EQ(Count(*index, "task"), 2 + 1 + 3);
  EXPECT_EQ(Count(*index, "anomaly"), 0);
  EXPECT_FALSE(fs::exists(archive_.string() + ".index"));
  EXPECT_TRUE(fs::is_empty(directory_ / "cache/ktstr/index"));
}

TEST_F(IndexTest, LeavesNoTemporaryFilesBehind) {
  ASSERT_TRUE(OpenIndex(archive_, {}));
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(directory_.path()))
    files += entry.is_regular_file();
  EXPECT_EQ(files, 2u);
}

TEST_F(IndexTest, ADamagedPageIsRefusedAndOnRequestReadAround) {
  // The middle of the file is memory; half a kilobyte of it is overwritten.
  const auto size = fs::file_size(archive_);
  std::fstream file(archive_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(size / 4));
  file << std::string(512, '\xa5');
  file.close();
  const auto refused = OpenIndex(archive_, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kDamaged);
  EXPECT_THAT(refused.error().message(), HasSubstr("memory frames"));
  const auto accepted = OpenIndex(archive_, {.accept_damage = true});
  ASSERT_TRUE(accepted) << accepted.error().ToString();
  EXPECT_EQ(Count(*accepted, "vcpu"), 2);
  EXPECT_FALSE(fs::exists(archive_.string() + ".index"));
}

// Each page of the archive is scratched in turn: a table either has all of its rows, or is marked.
TEST_F(IndexTest, ATableThatLacksSomethingForDamageIsMarked) {
  const auto machine = FrozenMachine::Open(archive_).value();
  const Tables whole = BuildTables(*machine, {}).tables;
  const std::string bytes = ReadTextFile(archive_).value();
  const auto container = archive::ReadContainer(archive::InputFile::Open(archive_).value()).value();
  size_t marked = 0;
  for (uint64_t frame = 0; frame < container.frame_count(); ++frame) {
    std::string bad = bytes;
    bad[container.frame_offsets[frame] + 20] ^= 1;
    ASSERT_TRUE(WriteTextFile(archive_, bad));
    const auto damaged = FrozenMachine::Open(archive_).value();
    const BuiltTables built = BuildTables(*damaged, {});
    marked += !built.incomplete.empty();
    for (const auto& table : whole) {
      const std::string name(table->info().name);
      if (built.incomplete.contains(name) || name == "anomaly" || name == "derivation") continue;
      const auto same =
          std::ranges::find(built.tables, &table->info(), [](const auto& t) { return &t->info(); });
      ASSERT_NE(same, built.tables.end());
      ASSERT_EQ((*same)->row_count(), table->row_count()) << name << ", frame " << frame;
      for (size_t row = 0; row < table->row_count(); ++row) {
        for (size_t c = 0; c < table->info().columns.size(); ++c) {
          ASSERT_EQ((*same)->Cell(row, c), table->Cell(row, c)) << name << ", frame " << frame;
        }
      }
    }
  }
  EXPECT_GT(marked, 0u);
}

TEST_F(IndexTest, AMachineWithoutAKernelStillHasItsRegistersAndMemory) {
  synthetic::SyntheticGuest guest;
  guest.memory = std::make_unique<synthetic::BufferMemory>(1 << 20);
  guest.vcpus.resize(1);
  WriteGuest(guest, archive_);
  const auto index = OpenIndex(archive_, {});
  ASSERT_TRUE(index) << index.error().ToString();
  EXPECT_EQ(Count(*index, "vcpu"), 1);
  EXPECT_EQ(Count(*index, "task"), 0);
  EXPECT_THAT(std::get<std::string>(index->Query("SELECT detail FROM anomaly")->rows[0][0]),
              HasSubstr("found no Linux kernel"));
}

}  // namespace
}  // namespace ktstr

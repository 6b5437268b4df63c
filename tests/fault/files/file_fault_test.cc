// Proves that no failure of files costs data or leaves rubbish: whatever write, sync, rename, link
// or read of an operation fails, or is the one before which the program is killed (-9), afterwards
// - the name that was to be made holds nothing or the whole file,
// - what was there before is there still: the archive, the other archives of the corpus,
// - the program that failed says so by exit code 4 (or 3 for what it could not read), and one that
//   answers in spite of it answers right,
// - the next run works, and leaves none of the leftovers.
//
// Faults come from a library (file_faults.cc). KTSTR_FAULT_POINTS in the environment is at how many
// points of each operation the program is killed, and at how many each other fault begins (100).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "../../analyze/archives.h"
#include "../../analyze/run_program.h"
#include "libcore/archive/verify.h"
#include "libcore/base/text_file.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::HasSubstr;

int PointsAsked() {
  const char* asked = std::getenv("KTSTR_FAULT_POINTS");
  return asked == nullptr ? 100 : std::max(std::atoi(asked), 1);
}

// Something that makes a file or more in the directory "now", and how it is seen to be right.
struct Operation {
  std::string name;
  std::string command;               // DIR stands for the directory
  std::vector<std::string> results;  // files that it makes, in DIR
  bool answers = false;              // falls back on memory where no file can be made
};

void PrintTo(const Operation& operation, std::ostream* os) { *os << operation.name; }

class FileFaultTest : public testing::TestWithParam<Operation> {
 protected:
  void SetUp() override {
    setenv("XDG_CACHE_HOME", (Now() / "cache").c_str(), 1);
    const fs::path start = directory_ / "start";
    fs::create_directory(start);
    WriteGuest(MakeGuest(), start / "a.kts");
    WriteGuest(MakeGuest(5), start / "b.kts");
    const std::string analyze = KTSTR_ANALYZE;
    ASSERT_EQ(RunInShell(fmt::format("{} corpus add {}/corpus {}/b.kts", analyze, start.string(),
                                     start.string()))
                  .exit_code,
              0);
    std::ofstream(start / "request")
        << R"({"direction":"write","entries":[{"target":{"symbol":"jiffies_64"},"value":{"u64":1}}]})";
    Reset();
    const Ran well = Run("");
    ASSERT_EQ(well.exit_code, 0) << well.err;
    right_ = well.out;
    for (const std::string& result : GetParam().results) ASSERT_TRUE(fs::exists(Now() / result));
    whole_ = Files();
    Reset();
    Run(fmt::format("count:{}", (directory_ / "counts").string()));
    std::ifstream counts(directory_ / "counts");
    std::string call;
    for (long count; counts >> call >> count;) counts_[call] = count;
    ASSERT_GT(counts_["any"], 0) << "the library was not there";
  }

  fs::path Now() const { return directory_ / "now"; }
  void Reset() {
    fs::remove_all(Now());
    fs::copy(directory_ / "start", Now(), fs::copy_options::recursive);
  }

  Ran Run(const std::string& fault) {
    std::string command = GetParam().command;
    for (size_t at; (at = command.find("DIR")) != std::string::npos;) {
      command.replace(at, 3, Now().string());
    }
    if (fault.empty()) return RunInShell(command);
    return RunInShell(
        fmt::format("KTSTR_FAULT={} LD_PRELOAD={} {}", fault, KTSTR_FILE_FAULTS, command));
  }

  // All files, by their path below the directory.
  std::set<std::string> Files() const {
    std::set<std::string> files;
    for (const auto& file : fs::recursive_directory_iterator(Now())) {
      const std::string path = fs::relative(file.path(), Now()).string();
      if (file.is_regular_file()) files.insert(path);
    }
    return files;
  }

  // Some numbers from 1 to the count of calls, the last ones densely: there files get their names.
  std::vector<long> Points(const std::string& call) {
    const long count = counts_[call];
    const long wanted = PointsAsked();
    std::vector<long> points;
    for (long n = 1; n <= count; ++n) {
      const bool dense = n + wanted / 2 > count;
      if (dense || n % std::max(1L, 2 * count / wanted) == 1 || count <= wanted)
        points.push_back(n);
    }
    return points;
  }

  // What must be so whatever failed.
  void CheckAfterwards(const std::string& fault) {
    SCOPED_TRACE(fault);
    for (const char* archive : {"a.kts", "b.kts"}) {
      const auto verified = VerifyArchive(Now() / archive);
      EXPECT_TRUE(verified && verified->is_whole()) << archive;
    }
    for (const auto& file : fs::directory_iterator(Now() / "corpus" / "archives")) {
      const fs::path& path = file.path();
      if (path.extension() != ".kts" || path.filename().string().starts_with(".")) continue;
      const auto verified = VerifyArchive(path);
      EXPECT_TRUE(verified && verified->is_whole()) << path;
    }
    const Ran listed =
        RunInShell(fmt::format("{} corpus list {}/corpus", KTSTR_ANALYZE, Now().string()));
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    EXPECT_THAT(listed.out, HasSubstr("b ")) << "the corpus has lost an archive";
    for (const std::string& result : GetParam().results) {
      const fs::path path = Now() / result;
      if (!fs::exists(path) || path.extension() != ".kts") continue;
      const auto verified = VerifyArchive(path);
      EXPECT_TRUE(verified && verified->is_whole()) << path;
    }
    // The next run, once what came of this one, whole as it is, is out of the way.
    for (const std::string& result : GetParam().results) fs::remove_all(Now() / result);
    const Ran again = Run("");
    const bool added = again.out.find("in the corpus already") != std::string::npos;
    EXPECT_TRUE(again.exit_code == 0 || added) << again.err;
    EXPECT_EQ(again.exit_code == 0 ? again.out : right_, right_);
    std::set<std::string> files = Files();
    std::erase_if(files, [](const std::string& file) { return file.starts_with("cache/"); });
    std::set<std::string> expected = whole_;
    std::erase_if(expected, [](const std::string& file) { return file.starts_with("cache/"); });
    EXPECT_EQ(files, expected);
  }

  const synthetic::TemporaryDirectory directory_;
  std::string right_;
  std::set<std::string> whole_;
  std::map<std::string, long> counts_;
};

TEST_P(FileFaultTest, KilledAnywhereItLosesNothing) {
  for (const long point : Points("any")) {
    const std::string fault = fmt::format("any:{}:kill", point);
    Reset();
    EXPECT_NE(Run(fault).exit_code, 0) << fault;
    CheckAfterwards(fault);
  }
}

TEST_P(FileFaultTest, WhereAnyCallFailsItSaysSoOrAnswersRight) {
  for (const auto& [call, error] : {std::pair<std::string, std::string>("write", "ENOSPC"),
                                    {"sync", "EIO"},
                                    {"name", "EIO"},
                                    {"read", "EIO"}}) {
    for (const long point : Points(call)) {
      const std::string fault = fmt::format("{}:{}:{}", call, point, error);
      SCOPED_TRACE(fault);
      Reset();
      const Ran ran = Run(fault);
      if (ran.exit_code == 0) {
        EXPECT_EQ(ran.out, right_);
        EXPECT_TRUE(GetParam().answers || call == "read") << "it did not say that it failed";
      } else {
        EXPECT_THAT(ran.exit_code, AnyOf(3, 4)) << ran.err;
        EXPECT_NE(ran.err, "");
        for (const std::string& result : GetParam().results) {
          EXPECT_FALSE(call != "read" && fs::exists(Now() / result)) << result;
        }
        for (const std::string& file : Files()) {
          EXPECT_EQ(file.find(".ktstr-tmp"), std::string::npos) << file << " was left behind";
        }
      }
      CheckAfterwards(fault);
    }
  }
}

TEST_P(FileFaultTest, ShortWritesAreGoneOnWith) {
  Reset();
  const Ran ran = Run("write:1:short");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, right_);
  CheckAfterwards("write:1:short");
}

INSTANTIATE_TEST_SUITE_P(
    Of, FileFaultTest,
    testing::Values(
        Operation{"Index", KTSTR_ANALYZE " DIR/a.kts tasks", {"a.kts.index"}, true},
        Operation{"Report", KTSTR_ANALYZE " DIR/a.kts report -o DIR/a.html --no-index", {"a.html"}},
        Operation{"Export", KTSTR_ANALYZE " DIR/a.kts export-db DIR/a.db --no-index", {"a.db"}},
        Operation{"CorpusAdd", KTSTR_ANALYZE " corpus add DIR/corpus DIR/a.kts", {}},
        Operation{"CorpusPack", KTSTR_ANALYZE " corpus pack DIR/corpus DIR/pack", {"pack"}},
        Operation{"OpsSave",
                  KTSTR_REPLAY " ops DIR/a.kts --request DIR/request --save DIR/c.kts",
                  {"c.kts"}},
        Operation{"Salvage", KTSTR_REPLAY " salvage DIR/a.kts DIR/c.kts", {"c.kts"}},
        Operation{
            "ExportKdump", KTSTR_REPLAY " export DIR/a.kts DIR/dump --format kdump", {"dump"}},
        Operation{"ExportElf", KTSTR_REPLAY " export DIR/a.kts DIR/dump", {"dump"}}),
    [](const auto& operation) { return operation.param.name; });

}  // namespace
}  // namespace ktstr

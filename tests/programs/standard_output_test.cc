// What every command of every program does when its standard output cannot be written: a full disk
// is told of and ends in exit code 4, a reader that has gone is passed over in silence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "../analyze/run_program.h"
#include "command_names.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// By command, words that make it answer. STATE and OTHER are archives, CORPUS a corpus that has
// STATE, PACK one that was packed, DUMP a dump of STATE, NEW a name that is free.
const std::map<std::string, std::string> kWords = {
    {"ktstr-analyze", "STATE"},
    {"ktstr-analyze summary", "STATE summary"},
    {"ktstr-analyze findings", "STATE findings"},
    {"ktstr-analyze dump", "STATE dump"},
    {"ktstr-analyze tasks", "STATE tasks"},
    {"ktstr-analyze cpus", "STATE cpus --json"},
    {"ktstr-analyze rq", "STATE rq"},
    {"ktstr-analyze dsq", "STATE dsq"},
    {"ktstr-analyze scx", "STATE scx"},
    {"ktstr-analyze cgroups", "STATE cgroups"},
    {"ktstr-analyze topology", "STATE topology"},
    {"ktstr-analyze log", "STATE log"},
    {"ktstr-analyze trace", "STATE trace"},
    {"ktstr-analyze trace-buffers", "STATE trace-buffers"},
    {"ktstr-analyze perfetto", "STATE perfetto -o -"},
    {"ktstr-analyze memory", "STATE memory"},
    {"ktstr-analyze stack", "STATE stack --all"},
    {"ktstr-analyze maps", "STATE maps"},
    {"ktstr-analyze progs", "STATE progs"},
    {"ktstr-analyze print", "STATE print task_struct init_task"},
    {"ktstr-analyze read", "STATE read init_task 64"},
    {"ktstr-analyze symbol", "STATE symbol init_task"},
    {"ktstr-analyze vcpu", "STATE vcpu"},
    {"ktstr-analyze schema", "schema"},
    {"ktstr-analyze report", "STATE report -o -"},
    {"ktstr-analyze diff", "STATE diff OTHER"},
    {"ktstr-analyze sql", "STATE sql 'SELECT * FROM task'"},
    {"ktstr-analyze shell", "STATE shell <<< 'SELECT * FROM task;'"},
    {"ktstr-analyze check", "STATE check"},
    {"ktstr-analyze corpus", "corpus --help"},
    {"ktstr-analyze corpus add", "corpus add CORPUS OTHER"},
    {"ktstr-analyze corpus list", "corpus list CORPUS"},
    {"ktstr-analyze corpus remove", "corpus remove CORPUS state"},
    {"ktstr-analyze corpus prune", "corpus prune CORPUS --max-size 1K --dry-run"},
    {"ktstr-analyze corpus query", "corpus query CORPUS 'SELECT pid FROM task' --csv"},
    {"ktstr-analyze corpus check", "corpus check CORPUS"},
    {"ktstr-analyze corpus expect", "corpus expect CORPUS"},
    {"ktstr-analyze corpus pack", "corpus pack CORPUS NEW"},
    {"ktstr-analyze corpus unpack", "corpus unpack PACK NEW"},
    {"ktstr-analyze export-db", "export-db --help"},
    {"ktstr-analyze help", "help"},
    {"ktstr-analyze completion", "completion bash"},
    {"ktstr-replay", "--help"},
    {"ktstr-replay ops", "ops STATE --request REQUEST"},
    {"ktstr-replay resume", "resume --help"},    // needs a guest
    {"ktstr-replay what-if", "what-if --help"},  // the same
    {"ktstr-replay gdb", "gdb STATE - <<< '$?#3f'"},
    {"ktstr-replay symbols", "symbols STATE -o NEW"},
    {"ktstr-replay verify", "verify STATE"},
    {"ktstr-replay scrub", "scrub STATE NEW"},
    {"ktstr-replay salvage", "salvage STATE NEW"},
    {"ktstr-replay export", "export STATE NEW"},
    {"ktstr-replay import", "import DUMP -o NEW"},
    {"ktstr-replay help", "help"},
    {"ktstr-replay completion", "completion zsh"},
    {"ktstr-capture", "--help"},
    {"ktstr-capture boot", "boot --help"},    // the same
    {"ktstr-capture ops", "ops --help"},      // the same
    {"ktstr-capture watch", "watch --help"},  // the same
    {"ktstr-capture help", "help"},
    {"ktstr-capture completion", "completion fish"},
    {"ktstr-run", "--reference"},
    {"ktstr-run help", "help"},
    {"ktstr-run completion", "completion bash"},
};

class StandardOutputTest : public testing::TestWithParam<const char*> {
 protected:
  static std::string Program(const std::string& name) {
    return fmt::format("{}/{}", KTSTR_BIN_DIR, name);
  }

  void SetUp() override {
    setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1);
    if (std::string(GetParam()) == "ktstr-run") return;
    for (const auto& [name, from] : {std::pair("state", "stall"), {"other", "lost-task"}}) {
      fs::copy_file(fmt::format("{}/{}.kts", KTSTR_STATE_DIR, from), Path(name) + ".kts");
      RunInShell(fmt::format("{} {}.kts cpus", Program("ktstr-analyze"), Path(name)));
    }
    const std::string corpus = Program("ktstr-analyze") + " corpus ";
    EXPECT_EQ(RunInShell(fmt::format("{} add {} {}.kts", corpus, Path("corpus"), Path("state")))
                  .exit_code,
              0);
    EXPECT_EQ(RunInShell(fmt::format("{} expect --update {}", corpus, Path("corpus"))).exit_code,
              0);
    EXPECT_EQ(
        RunInShell(fmt::format("{} pack {} {}", corpus, Path("corpus"), Path("pack"))).exit_code,
        0);
    EXPECT_EQ(RunInShell(fmt::format("{} export {} {}", Program("ktstr-replay"),
                                     Path("state") + ".kts", Path("dump")))
                  .exit_code,
              0);
    std::ofstream(directory_ / "request")
        << R"({"direction":"read","entries":[{"target":{"symbol":"jiffies"},"value":{"u64":0}}]})";
  }

  std::string Path(const std::string& name) const { return (directory_ / name).string(); }

  // Runs it with its output to `to`, each time with files as if it ran the first time.
  Ran Run(const std::string& command, std::string words, const std::string& to) {
    fs::remove_all(directory_ / "corpus-now");
    if (fs::exists(directory_ / "corpus")) {
      fs::copy(directory_ / "corpus", directory_ / "corpus-now", fs::copy_options::recursive);
    }
    fs::remove_all(directory_ / "new");
    for (const auto& [word, path] : {std::pair("STATE", Path("state.kts")),
                                     {"OTHER", Path("other.kts")},
                                     {"CORPUS", Path("corpus-now")},
                                     {"PACK", Path("pack")},
                                     {"DUMP", Path("dump")},
                                     {"NEW", Path("new")},
                                     {"REQUEST", Path("request")}}) {
      for (size_t at; (at = words.find(word)) != std::string::npos;) {
        words.replace(at, std::string(word).size(), path);
      }
    }
    const std::string program = command.substr(0, command.find(' '));
    return RunInShell(fmt::format("{} {} {}", Program(program), words, to));
  }

  const synthetic::TemporaryDirectory directory_;
};

// A pipe that nobody reads from any more.
class ClosedPipe {
 public:
  ClosedPipe() {
    EXPECT_EQ(pipe(ends_), 0);
    close(ends_[0]);
  }
  ~ClosedPipe() { close(ends_[1]); }
  int end() const { return ends_[1]; }

 private:
  int ends_[2];
};

TEST_P(StandardOutputTest, OfEveryCommandIsNeverLostUnnoticed) {
  std::set<std::string> commands = {""};
  AllOptions(Program(GetParam()), "", commands);
  const ClosedPipe closed;
  for (const std::string& below : commands) {
    const std::string command =
        below.empty() ? GetParam() : fmt::format("{} {}", GetParam(), below);
    const auto words = kWords.find(command);
    ASSERT_NE(words, kWords.end()) << command << " is not in this test's table";
    SCOPED_TRACE(command + ": " + words->second);
    const std::string help = below + " --help";
    for (const std::string& said : {words->second, help}) {
      const Ran well = Run(command, said, "");
      ASSERT_NE(well.out, "") << well.err;
      ASSERT_LE(well.exit_code, 1) << well.err;
      const Ran full = Run(command, said, "> /dev/full");
      EXPECT_EQ(full.exit_code, 4) << said;
      EXPECT_THAT(full.err, HasSubstr("No space left on device")) << said;
      const Ran unread = Run(command, said, fmt::format(">&{}", closed.end()));
      EXPECT_EQ(unread.exit_code, well.exit_code) << said;
      EXPECT_EQ(unread.err, well.err) << said;
      EXPECT_EQ(Run(command, said, ">&-").exit_code, 4) << said;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Of, StandardOutputTest,
                         testing::Values("ktstr-analyze", "ktstr-capture", "ktstr-replay",
                                         "ktstr-run"),
                         [](const auto& program) {
                           return std::string(program.param).substr(sizeof("ktstr"));
                         });

}  // namespace
}  // namespace ktstr

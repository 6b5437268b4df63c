// Proves, on real frozen machines: exported and imported again they answer every question as
// before; so they do when makedumpfile, which knows nothing of us, has made another dump of ours.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <libkdumpfile/kdumpfile.h>

#include "../../analyze/run_program.h"
#include "index_differences.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VmcoreStatesTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return (directory_ / name).string(); }
  static std::string State(const std::string& name) {
    return fmt::format("{}/{}.kts", KTSTR_STATE_DIR, name);
  }
  Ran Replay(const std::string& words) const {
    return RunInShell(
        fmt::format("cd {} && {} {}", directory_.path().string(), KTSTR_REPLAY, words));
  }
  void MustReplay(const std::string& words) const {
    const Ran ran = Replay(words);
    ASSERT_EQ(ran.exit_code, 0) << words << ": " << ran.err;
  }
  // By which tables the archive at `path` differs from the state.
  static std::map<std::string, std::string> Differences(const std::string& state,
                                                        const std::string& path,
                                                        std::set<std::string> ignored = {}) {
    const auto before = FrozenMachine::Open(State(state)), after = FrozenMachine::Open(path);
    if (!before || !after) return {{"archive", "cannot be opened"}};
    const auto first = OpenIndex(**before, {.use_file = false});
    const auto second = OpenIndex(**after, {.use_file = false});
    if (!first || !second) return {{"index", "cannot be made"}};
    ignored.insert(kOfTheArchive.begin(), kOfTheArchive.end());
    return IndexDifferences(*first, *second, ignored);
  }
  // How many pages met which fate. Which are stored and which repeated depends on the version of
  // the format.
  static std::vector<std::string> Fates(const std::string& path) {
    const auto machine = FrozenMachine::Open(path);
    const auto index = OpenIndex(**machine, {.use_file = false});
    return RowTexts(*index,
                    "SELECT replace(fate, 'duplicate', 'present') AS fate, reason, "
                    "sum(pages) AS pages FROM memory GROUP BY 1, 2",
                    {});
  }

  const synthetic::TemporaryDirectory directory_;
};

TEST_F(VmcoreStatesTest, AnswerEverythingAsBefore) {
  for (const char* state : {"stall", "panic"}) {
    for (const char* words : {"", "--format kdump", "--format kdump --compression zstd"}) {
      SCOPED_TRACE(std::string(state) + " " + words);
      MustReplay(fmt::format("export {} dump --force {}", State(state), words));
      MustReplay("import dump -o x.kts --force");
      EXPECT_THAT(Differences(state, Path("x.kts"), {"memory"}), IsEmpty());
      EXPECT_EQ(Fates(State(state)), Fates(Path("x.kts")));
    }
  }
}

// What only an archive of ours says: the capture, QEMU, why pages are missing.
const std::set<std::string> kOfOurs = {
    "captured_at",    "captured_at_ns", "captured_by",  "trigger",
    "trigger_detail", "accelerator",    "vmm_version",  "vmm_command_line",
    "vmm_machine",    "run_state",      "memory",       "memory_bytes",
    "kept",           "cpu_feature",    "kaslr_method", "derivation",
    "vcpu.efer",      "vcpu.lstar",     "vcpu.mode"};

// makedumpfile takes our ELF core for one of QEMU's, whose notes it copies, and ours not.
TEST_F(VmcoreStatesTest, AnswerAllThatRegistersAndMemoryTell) {
  MustReplay(fmt::format("export {} elf", State("stall")));
  const std::string in = "cd " + directory_.path().string() + " && ";
  for (const char* words :
       {"-c -d 0 elf dump", "-l -d 0 elf dump", "-E -d 0 elf dump", "-c -F -d 0 elf > dump"}) {
    SCOPED_TRACE(words);
    std::filesystem::remove(Path("dump"));
    const Ran made = RunInShell(in + "makedumpfile " + words);
    ASSERT_EQ(made.exit_code, 0) << made.err;
    MustReplay("import dump -o x.kts --force");
    EXPECT_THAT(Differences("stall", Path("x.kts"), kOfOurs), IsEmpty());
  }
}

TEST_F(VmcoreStatesTest, AreReadOfSeveralFiles) {
  MustReplay(fmt::format("export {} elf", State("stall")));
  const std::string in = "cd " + directory_.path().string() + " && ";
  ASSERT_EQ(RunInShell(in + "makedumpfile -c -d 0 --split elf p1 p2 p3 >/dev/null 2>&1").exit_code,
            0);
  MustReplay("import p3 p1 p2 -o x.kts");
  EXPECT_THAT(Differences("stall", Path("x.kts"), kOfOurs), IsEmpty());
}

// libkdumpfile, and drgn with it, knows the kind of machine from a kdump file whose utsname is
// whole.
TEST_F(VmcoreStatesTest, SayWhatMachineTheyAreOf) {
  for (const char* format : {"elf", "kdump"}) {
    MustReplay(fmt::format("export {} dump --force --format {}", State("stall"), format));
    const int fd = open(Path("dump").c_str(), O_RDONLY);
    kdump_ctx_t* context = kdump_new();
    ASSERT_EQ(kdump_open_fd(context, fd), KDUMP_OK) << kdump_get_err(context);
    const char* text = nullptr;
    ASSERT_EQ(kdump_get_string_attr(context, KDUMP_ATTR_ARCH_NAME, &text), KDUMP_OK)
        << kdump_get_err(context);
    EXPECT_STREQ(text, KDUMP_ARCH_X86_64);
    kdump_free(context);
    close(fd);
  }
}

TEST_F(VmcoreStatesTest, AreAnalyzedByThemselves) {
  MustReplay("export " + State("panic") + " vmcore");
  const std::string ask = fmt::format("cd {0} && XDG_CACHE_HOME={0}/cache {1} vmcore ",
                                      directory_.path().string(), KTSTR_ANALYZE);
  const std::string tasks =
      RunInShell(fmt::format("{} {} tasks --no-index", KTSTR_ANALYZE, State("panic"))).out;
  const Ran first = RunInShell(ask + "tasks"), again = RunInShell(ask + "tasks");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(first.out, tasks);
  EXPECT_THAT(first.err, HasSubstr("it is imported, once, into"));
  EXPECT_EQ(again.out, tasks);
  EXPECT_EQ(again.err, "");
  // Another file of that name is another dump.
  MustReplay("export " + State("stall") + " vmcore --force --format kdump");
  EXPECT_THAT(RunInShell(ask + "findings").out, HasSubstr("has dispatched nothing"));
  ASSERT_EQ(RunInShell(fmt::format("truncate -s 5M {}", Path("vmcore"))).exit_code, 0);
  const Ran cut = RunInShell(ask + "tasks");
  EXPECT_EQ(cut.exit_code, 3);
  EXPECT_THAT(cut.err, HasSubstr("vmcore cannot be read: it ends"));
}

TEST_F(VmcoreStatesTest, ProgramsSayWhatIsWrong) {
  EXPECT_THAT(Replay("import nothing -o x.kts").err, HasSubstr("no such file"));
  EXPECT_EQ(Replay("import " + State("stall") + " -o x.kts").exit_code, 3);
  EXPECT_EQ(Replay("import /etc/passwd -o x.kts").exit_code, 3);
  EXPECT_EQ(Replay("import /bin/true -o x.kts").exit_code, 3);
  EXPECT_EQ(Replay("import /bin/true --ram 0:4K -o x.kts").exit_code, 2);
  EXPECT_EQ(Replay("export " + State("stall") + " ram --format raw").exit_code, 3);
  EXPECT_FALSE(std::filesystem::exists(Path("ram")));
  EXPECT_FALSE(std::filesystem::exists(Path("x.kts")));
  MustReplay("export " + State("stall") + " dump");
  EXPECT_EQ(Replay("export " + State("stall") + " dump").exit_code, 4);
  EXPECT_EQ(Replay("export " + State("stall") + " - | cmp - dump").exit_code, 0);
  MustReplay("import dump -o x.kts");
  const Ran woken = Replay("resume x.kts");
  EXPECT_EQ(woken.exit_code, 3);
  EXPECT_THAT(woken.err, HasSubstr("it was imported from a dump"));
}

}  // namespace
}  // namespace ktstr

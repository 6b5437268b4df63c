// What bash, zsh and fish make of the completions of the programs, as the build wrote them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../analyze/run_program.h"

namespace ktstr {
namespace {

using testing::HasSubstr;
using testing::Not;

// In a directory with an archive, a scenario, another file and a directory.
class CompletionTest : public testing::Test {
 protected:
  CompletionTest() {
    for (const char* name : {"stall.kts", "stall.toml", "notes.txt"}) {
      std::ofstream(directory_ / name).flush();
    }
    std::filesystem::create_directory(directory_ / "stack");
    std::filesystem::create_directory(directory_ / "home");
  }

  // The programs are found by their names; nothing of the user's settings is read.
  Ran Run(const std::string& script) const {
    const std::string path = directory_.path().string();
    return RunInShell(fmt::format("cd {0}\nexport HOME={0}/home PATH={1}:$PATH\n{2}", path,
                                  KTSTR_BIN_DIR, script));
  }

  // What bash offers for the last of the words.
  std::string Bash(const std::string& words) const {
    const std::string program = words.substr(0, words.find(' '));
    const Ran ran = Run(fmt::format(
        "source {0}/bash-completion/completions/{1}\n"
        "COMP_WORDS=({2}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        "[[ '{2}' != *' ' ]] || {{ COMP_WORDS+=(''); COMP_CWORD=$((COMP_CWORD + 1)); }}\n"
        "_${{COMP_WORDS[0]//-/_}}\n"
        "echo \"${{COMPREPLY[@]}}\"",
        KTSTR_SHARE_DIR, program, words));
    EXPECT_EQ(ran.err, "");
    return ran.out;
  }

  // What stands on zsh's command line when a tab was typed behind these words: a real zsh at a
  // terminal, of which a key writes the line into a file.
  std::string Zsh(const std::string& words) const {
    std::ofstream(directory_ / "setup.zsh")
        << fmt::format("fpath=({}/zsh/site-functions $fpath)\n", KTSTR_SHARE_DIR) <<
        R"(PROMPT=
setopt no_list_beep
autoload -Uz compinit && compinit -u -D
write-line() { print -r -- $BUFFER > line.new; mv line.new line }
zle -N write-line
bindkey '^X^W' write-line
: > ready
)";
    std::ofstream(directory_ / "type.zsh") <<
        R"(zmodload zsh/zpty
# await FILE: until it is there, reading what the terminal shows.
await() {
  local shown i
  for i in {1..400}; do
    while zpty -r -t z shown; do : ; done
    [[ ! -e $1 ]] || return 0
    sleep 0.05
  done
  return 1
}
rm -f line ready
zpty -b z zsh -f -i
zpty -w z 'source ./setup.zsh'
await ready || { print 'zsh did not begin' >&2; exit 1 }
zpty -w -n z "$1"$'\t\C-X\C-W'
await line || { print 'zsh wrote no line' >&2; exit 1 }
cat line
zpty -d z
)";
    const Ran ran = Run("zsh -f type.zsh '" + words + "'");
    EXPECT_EQ(ran.err, "");
    return ran.out;
  }

  std::string Fish(const std::string& words) const {
    const std::string program = words.substr(0, words.find(' '));
    const Ran ran =
        Run(fmt::format("fish --no-config -c 'source {}/fish/vendor_completions.d/{}.fish; "
                        "complete -C \"{}\"'",
                        KTSTR_SHARE_DIR, program, words));
    EXPECT_EQ(ran.err, "");
    return ran.out;
  }

  synthetic::TemporaryDirectory directory_;
};

constexpr const char* kPrograms[] = {"ktstr-analyze", "ktstr-capture", "ktstr-replay", "ktstr-run"};

TEST_F(CompletionTest, TheScriptsAreRightByTheShellsThemselves) {
  for (const char* program : kPrograms) {
    for (const std::string& command :
         {fmt::format("bash -n {}/bash-completion/completions/{}", KTSTR_SHARE_DIR, program),
          fmt::format("zsh -n {}/zsh/site-functions/_{}", KTSTR_SHARE_DIR, program),
          fmt::format("fish --no-execute {}/fish/vendor_completions.d/{}.fish", KTSTR_SHARE_DIR,
                      program)}) {
      const Ran ran = Run(command);
      EXPECT_EQ(ran.exit_code, 0) << command;
      EXPECT_EQ(ran.err, "") << command;
    }
  }
}

TEST_F(CompletionTest, BashOffersWhatTheProgramsDeclare) {
  EXPECT_EQ(Bash("ktstr-analyze stall.kts fin"), "findings\n");
  EXPECT_EQ(Bash("ktstr-analyze st"), "stall.kts stack\n");
  EXPECT_EQ(Bash("ktstr-analyze stall.kts check --only lost"), "lost_task\n");
  EXPECT_EQ(Bash("ktstr-capture --keep "), "all kernel\n");
  EXPECT_EQ(Bash("ktstr-capture --keep = k"), "kernel\n");
  EXPECT_EQ(Bash("ktstr-capture w"), "watch\n");
  EXPECT_EQ(Bash("ktstr-run sta"), "stall.toml stack\n");
  EXPECT_EQ(Bash("ktstr-run --kernel scx-s"), "scx-small\n");
  EXPECT_EQ(Bash("ktstr-run --out st"), "stack\n");
  EXPECT_EQ(Bash("ktstr-replay ops --requ"), "--request\n");
  EXPECT_EQ(Bash("ktstr-replay completion "), "bash zsh fish\n");
}

TEST_F(CompletionTest, ZshCompletesWordsAndFiles) {
  EXPECT_EQ(Zsh("ktstr-analyze stall.kts fin"), "ktstr-analyze stall.kts findings \n");
  EXPECT_EQ(Zsh("ktstr-analyze stal"), "ktstr-analyze stall.kts \n");
  EXPECT_EQ(Zsh("ktstr-run stal"), "ktstr-run stall.toml \n");
  EXPECT_EQ(Zsh("ktstr-capture --keep=ker"), "ktstr-capture --keep=kernel \n");
  EXPECT_EQ(Zsh("ktstr-replay ops --requ"), "ktstr-replay ops --request \n");
}

TEST_F(CompletionTest, FishOffersWordsWithTheirMeaningsAndFiles) {
  EXPECT_EQ(Fish("ktstr-analyze x.kts fin"),
            "findings\tWhat happened, who did it, and what follows from it\n");
  EXPECT_THAT(Fish("ktstr-analyze stal"), HasSubstr("stall.kts"));
  EXPECT_EQ(Fish("ktstr-capture --keep=ker"), "--keep=kernel\n");
  EXPECT_THAT(Fish("ktstr-run --out "), HasSubstr("stack/"));
  EXPECT_THAT(Fish("ktstr-run --out "), Not(HasSubstr("notes.txt")));
}

}  // namespace
}  // namespace ktstr

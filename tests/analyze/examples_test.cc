// Every example of the README, of the manuals beside it and of the help is a command that works,
// and answers as it says there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;

// The frozen machine that stands for each archive of an example.
const std::map<std::string, std::string> kArchives = {
    {"demo.kts", "stall.kts"},
    {"stall.kts", "stall.kts"},
    {"before.kts", "stall.kts"},
    {"broken.kts", "stall.kts"},
    {"after.kts", "starve-cgroup.kts"},
    {"2.kts", "stall.kts"},
    {"5.kts", "starve-cgroup.kts"},
    {"1.kts", "stall.kts"},
    {"3.kts", "stall.kts"},
    {"traced.kts", "traced.kts"},
};

// Archives that an example makes.
const std::set<std::string> kMade = {"changed.kts", "rest.kts", "public.kts", "crash.kts"};

// What a command asks whose answer is "no" of these machines: exit code 1.
bool IsAnsweredNo(const std::string& command) {
  static const std::regex regex(R"(\bdiff\b|\bcheck(?! --list)\b)");
  return std::regex_search(command, regex);
}

// Of the programs that need no guest. Those that wake a machine are in tests/guest.
bool IsExample(const std::string& command) {
  static const std::regex wakes(R"(ktstr-replay (resume|what-if)\b)");
  if (std::regex_search(command, wakes)) return false;
  static const std::regex regex(
      R"(^(build/bin/)?ktstr-(analyze|replay) .|[|(]\s*ktstr-(analyze|replay) .)");
  return std::regex_search(command, regex);
}

struct Example {
  std::string command;
  std::string answer;  // as it is shown; empty where none is
};

// Whether a shell would wait for more: inside of quotes, or behind a pipe.
bool IsOpen(const std::string& command) {
  char quote = 0;
  for (const char c : command) {
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    }
  }
  return quote != 0 || command.ends_with('|');
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The commands in a text: those in lines indented by at least `indent` columns, with or without a
// prompt; a quote that stays open goes on in the next line. Behind a prompt what follows up to an
// empty line or the next prompt is its answer.
std::vector<Example> Examples(const std::string& text, size_t indent) {
  const std::vector<std::string> lines = LinesOf(text);
  std::vector<Example> examples;
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t begin = lines[i].find_first_not_of(' ');
    if (begin == std::string::npos || begin < indent) continue;
    Example example{lines[i].substr(begin), ""};
    const bool has_prompt = example.command.starts_with("$ ");
    if (has_prompt) example.command.erase(0, 2);
    if (!has_prompt && !IsExample(example.command)) continue;
    while (IsOpen(example.command) && i + 1 < lines.size()) example.command += "\n" + lines[++i];
    if (!IsExample(example.command)) continue;
    for (; has_prompt && i + 1 < lines.size() && lines[i + 1].size() > indent; ++i) {
      const std::string line = lines[i + 1].substr(indent);
      if (line.starts_with("$ ")) break;
      example.answer += line + "\n";
    }
    examples.push_back(example);
  }
  return examples;
}

// Where examples run: with what they name beside archives.
class ExamplesTest : public testing::Test {
 protected:
  ExamplesTest() {
    fs::create_directory(directory_ / "fixtures");
    fs::create_directory_symlink(KTSTR_STATE_DIR, directory_ / "fixtures" / "states");
    fs::create_directory(directory_ / "out");
    fs::create_symlink(fs::path(KTSTR_STATE_DIR) / "stall.kts", directory_ / "out" / "stall.kts");
    RunInShell(fmt::format("{} export {}/stall.kts {}",
                           (fs::path(KTSTR_ANALYZE).parent_path() / "ktstr-replay").string(),
                           KTSTR_STATE_DIR, (directory_ / "vmcore").string()));
    std::ofstream(directory_ / "mine.toml")
        << "[[rule]]\nname = 'mine'\nmessage = 'there are tasks'\nrows = 'some'\n"
           "sql = 'SELECT 1 FROM task'\n";
    std::ofstream(directory_ / "write.json")
        << R"({"direction":"write","entries":[{"target":{"symbol":"jiffies"},"value":{"u64":42}}]})";
  }

  void ExpectThatItRuns(const Example& example);

  // One for all of a test: an archive's index is built once.
  synthetic::TemporaryDirectory directory_;
};

// With the archives' stand-ins, the program being found as ktstr-analyze.
void ExamplesTest::ExpectThatItRuns(const Example& example) {
  // Those of the machine itself take one that shows its memory: tests/guest/host_guest_test.cc.
  if (example.command.find(" --live") != std::string::npos) return;
  SCOPED_TRACE(example.command);
  static const std::regex archive(R"([\w./-]+\.kts\b)");
  bool is_itself = true;
  const std::string& words = example.command;
  for (auto at = std::sregex_iterator(words.begin(), words.end(), archive);
       at != std::sregex_iterator(); ++at) {
    const std::string name = at->str();
    if (kMade.contains(name)) continue;
    ASSERT_TRUE(kArchives.contains(name)) << name << " stands for nothing: see kArchives";
    is_itself = is_itself && kArchives.at(name) == name;
    std::error_code ignored;  // it is there
    fs::create_symlink(fs::path(KTSTR_STATE_DIR) / kArchives.at(name), directory_ / name, ignored);
  }
  const std::string command =
      std::regex_replace(words, std::regex("build/bin/ktstr-analyze"), "ktstr-analyze");
  const Ran ran = RunInShell(fmt::format("cd {}\nPATH={}:$PATH\nset -o pipefail\n{}",
                                         directory_.path().string(),
                                         fs::path(KTSTR_ANALYZE).parent_path().string(), command));
  EXPECT_EQ(ran.exit_code, IsAnsweredNo(words) ? 1 : 0) << ran.err;
  if (words.find("--save") == std::string::npos) {
    EXPECT_EQ(ran.err, "");
  }
  // Of another machine, or typed line by line, it would be another one.
  const bool is_shown = !example.answer.empty() && is_itself && !words.ends_with(" shell");
  const size_t cut = example.answer.find("...\n");  // what follows is not shown
  if (is_shown) {
    EXPECT_EQ(example.answer.substr(0, cut), ran.out.substr(0, cut));
  }
}

class ManualExamplesTest : public ExamplesTest, public testing::WithParamInterface<const char*> {};

TEST_P(ManualExamplesTest, Run) {
  std::ifstream manual(fs::path(KTSTR_SOURCE_DIR) / GetParam());
  const std::string text(std::istreambuf_iterator<char>(manual), {});
  const auto examples = Examples(text, 4);
  EXPECT_GE(examples.size(), 1u);
  for (const Example& example : examples) ExpectThatItRuns(example);
}

INSTANTIATE_TEST_SUITE_P(Of, ManualExamplesTest,
                         testing::Values("README.md", "analyze/README.md", "replay/README.md"));

// Where a link of the manuals leads to a file, the file is there.
TEST(ManualLinksTest, LeadToFiles) {
  const fs::path root = KTSTR_SOURCE_DIR;
  static const std::regex link(R"(\]\(([^)#:]+)(#[^)]*)?\))");
  for (const char* name : {"README.md", "analyze/README.md", "capture/README.md",
                           "replay/README.md", ".github/CONTRIBUTING.md"}) {
    std::ifstream manual(root / name);
    const std::string text(std::istreambuf_iterator<char>(manual), {});
    EXPECT_NE(text, "") << name;
    for (auto at = std::sregex_iterator(text.begin(), text.end(), link);
         at != std::sregex_iterator(); ++at) {
      EXPECT_TRUE(fs::exists((root / name).parent_path() / (*at)[1].str()))
          << name << ": " << at->str();
    }
  }
}

TEST_F(ExamplesTest, ThoseOfTheHelpAndOfTheManualPageRun) {
  const std::string program = KTSTR_ANALYZE;
  std::string help = RunInShell(program + " --help").out;
  for (const std::string& name : SubcommandsOf(program)) {
    if (name == "completion") continue;  // its lines are for several shells: tests/programs
    help += RunInShell(program + " " + name + " --help").out;
  }
  for (const char* name : {"add", "list", "query", "check", "expect", "prune", "remove"}) {
    help += RunInShell(program + " corpus " + name + " --help").out;
  }
  const std::string page =
      RunInShell(program + " --man-page | groff -man -Tutf8 -rLL=500n -P-cbou").out;
  const size_t own = page.find("\nEXAMPLES\n");
  ASSERT_NE(own, std::string::npos) << "is groff-base installed?";
  help += page.substr(own);
  const auto examples = Examples(help, 2);
  EXPECT_GE(examples.size(), 6u);
  for (const Example& example : examples) ExpectThatItRuns(example);
}

TEST(ExamplesInText, AreFoundWithTheirPromptsContinuationsAndAnswers) {
  const std::string text =
      "    $ ktstr-analyze a.kts sql \"SELECT\n      1\"\n    1\n     2\n"
      "    $ ktstr-analyze d.kts\n\n  ktstr-analyze b.kts\n"
      "    echo x | ktstr-analyze c.kts shell\n    ktstr-analyze\n";
  const auto examples = Examples(text, 4);
  ASSERT_EQ(examples.size(), 3u);
  EXPECT_EQ(examples[0].command, "ktstr-analyze a.kts sql \"SELECT\n      1\"");
  EXPECT_EQ(examples[0].answer, "1\n 2\n");
  EXPECT_EQ(examples[1].command, "ktstr-analyze d.kts");
  EXPECT_EQ(examples[2].command, "echo x | ktstr-analyze c.kts shell");
  EXPECT_EQ(examples[2].answer, "");
}

}  // namespace
}  // namespace ktstr

// Commands in the README and in capture/README.md that need a guest, which nobody boots here: at
// least each of their options is one that the program has. Other examples are run (tests/analyze).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>

#include "../analyze/run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;

std::string TextOf(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ReadmeCommandsTest : public testing::TestWithParam<const char*> {};

TEST_P(ReadmeCommandsTest, HaveOptionsThatTheProgramsHave) {
  const std::string text = TextOf(fs::path(KTSTR_SOURCE_DIR) / GetParam());
  static const std::regex command(R"(\n    \$ (ktstr-(?:capture|run))( [^\n]*))");
  static const std::regex option(R"( (--[a-z-]+))");
  std::map<std::string, std::string> pages;
  int options = 0;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), command);
       at != std::sregex_iterator(); ++at) {
    const std::string program = (*at)[1], words = (*at)[2];
    if (!pages.contains(program)) {
      pages[program] = RunInShell(fmt::format("{}/{} --man-page", KTSTR_BIN_DIR, program)).out;
    }
    for (auto word = std::sregex_iterator(words.begin(), words.end(), option);
         word != std::sregex_iterator(); ++word, ++options) {
      const std::string in_page = std::regex_replace((*word)[1].str(), std::regex("-"), "\\-");
      EXPECT_THAT(pages[program], testing::HasSubstr("\\fB" + in_page + "\\fR")) << words;
    }
  }
  EXPECT_GE(options, 3);
}

INSTANTIATE_TEST_SUITE_P(Of, ReadmeCommandsTest, testing::Values("README.md", "capture/README.md"));

TEST(ReadmeScenarioTest, IsTheFileThatItSaysItIs) {
  std::istringstream lines(TextOf(fs::path(KTSTR_SOURCE_DIR) / "fixtures/scenarios/stall.toml"));
  std::string scenario;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#') || (line.empty() && scenario.empty())) continue;
    scenario += line.empty() ? "\n" : "    " + line + "\n";
  }
  EXPECT_THAT(TextOf(fs::path(KTSTR_SOURCE_DIR) / "capture/README.md"),
              testing::HasSubstr(scenario));
}

}  // namespace
}  // namespace ktstr

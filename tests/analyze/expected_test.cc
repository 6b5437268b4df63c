// What ktstr-analyze answers of real frozen machines (fixtures/states), word by word.
//
// Each line of expected/cases names a file below expected/STATE/ and the arguments whose answer it
// holds; each is a test of its own. "[1]" before the arguments: the answer is "no" (exit code 1).
// After a change that is meant to change answers, look at what
//
//   KTSTR_WRITE_EXPECTED=1 build/tests/analyze/expected_test
//
// changes in these files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "analyze/index/log_search.h"
#include "analyze/index/tables.h"
#include "analyze/views/views.h"
#include "run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;

const fs::path kExpected = KTSTR_EXPECTED_DIR;

struct Case {
  std::string file;       // STATE/NAME.EXTENSION
  std::string arguments;  // behind the archive's name, as a shell takes them
  int exit_code = 0;

  std::string state() const { return file.substr(0, file.find('/')); }
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.file; }

// Lines "FILE ARGUMENTS"; a line that begins with blanks goes on with the one before it.
std::vector<Case> ReadCases() {
  std::vector<Case> cases;
  std::ifstream file(kExpected / "cases");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == ' ' && !cases.empty()) {
      cases.back().arguments += line.substr(line.find_first_not_of(' ') - 1);
      continue;
    }
    const size_t blank = line.find(' ');
    cases.push_back(
        {line.substr(0, blank), blank == std::string::npos ? "" : line.substr(blank + 1)});
    Case& last = cases.back();
    constexpr std::string_view kNo = "[1] ";
    if (!last.arguments.starts_with(kNo)) continue;
    last.arguments.erase(0, kNo.size());
    last.exit_code = 1;
  }
  return cases;
}

std::string TextOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Expected files are text of this system: RFC 4180's line ends are what output_test looks at.
std::string WithoutReturns(std::string text) {
  std::erase(text, '\r');
  return text;
}

class ExpectedTest : public testing::TestWithParam<Case> {};

TEST_P(ExpectedTest, IsAnswered) {
  const Case& c = GetParam();
  SCOPED_TRACE(c.arguments);
  const Ran ran = RunInShell(fmt::format("cd {} && {} {}.kts --no-index {}", KTSTR_STATE_DIR,
                                         KTSTR_ANALYZE, c.state(), c.arguments));
  EXPECT_EQ(ran.err, "");
  ASSERT_EQ(ran.exit_code, c.exit_code);
  const std::string answer = WithoutReturns(ran.out);
  const fs::path path = kExpected / c.file;
  if (std::getenv("KTSTR_WRITE_EXPECTED") != nullptr) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << answer;
    return;
  }
  ASSERT_TRUE(fs::exists(path)) << path << " is missing; how to write it is said in " << __FILE__;
  // Of texts with several lines gtest shows what differs.
  EXPECT_EQ(TextOf(path), answer) << "how to write it anew is said in " << __FILE__;
}

INSTANTIATE_TEST_SUITE_P(All, ExpectedTest, testing::ValuesIn(ReadCases()),
                         [](const testing::TestParamInfo<Case>& info) {
                           std::string name = info.param.file;
                           for (char& c : name) c = std::isalnum(c) != 0 ? c : '_';
                           return name;
                         });

bool AnyCaseMatches(const std::string& pattern) {
  static const std::vector<Case> cases = ReadCases();
  const std::regex regex(pattern);
  return std::any_of(cases.begin(), cases.end(),
                     [&](const Case& c) { return std::regex_search(c.arguments, regex); });
}

TEST(ExpectedCasesTest, CoverEveryTableAndView) {
  std::vector<std::string> names = {std::string(LogSearchTable().name)};
  for (const TableInfo* table : AllTableInfos()) names.emplace_back(table->name);
  for (const View& view : Views()) names.emplace_back(view.name);
  for (const std::string& name : names) {
    EXPECT_TRUE(AnyCaseMatches("FROM " + name + "\\b")) << name;
  }
}

TEST(ExpectedCasesTest, CoverEverySubcommand) {
  // These write what is no answer, or take none; they have tests of their own.
  const std::vector<std::string> others = {"completion", "corpus", "export-db", "help",
                                           "perfetto",   "report", "shell"};
  const std::vector<std::string> names = SubcommandsOf(KTSTR_ANALYZE);
  EXPECT_GE(names.size(), 20u);
  for (const std::string& name : names) {
    if (std::find(others.begin(), others.end(), name) != others.end()) continue;
    EXPECT_TRUE(AnyCaseMatches("^" + name + "\\b")) << name;
  }
}

TEST(ExpectedCasesTest, AreAllTheFilesThatStandThere) {
  std::vector<std::string> files, named;
  for (const Case& c : ReadCases()) named.push_back(c.file);
  for (const auto& entry : fs::recursive_directory_iterator(kExpected)) {
    if (entry.is_directory() || entry.path().filename() == "cases") continue;
    files.push_back(fs::relative(entry.path(), kExpected).string());
  }
  EXPECT_THAT(files, testing::UnorderedElementsAreArray(named));
}

}  // namespace
}  // namespace ktstr

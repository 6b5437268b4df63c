// The manual pages of the programs, as the build wrote them and as groff shows them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "../analyze/run_program.h"
#include "command_names.h"

namespace ktstr {
namespace {

class ManPagesTest : public testing::TestWithParam<const char*> {
 protected:
  std::string Page() const { return fmt::format("{}/{}.1", KTSTR_MAN_DIR, GetParam()); }
  std::string Program() const { return fmt::format("{}/{}", KTSTR_BIN_DIR, GetParam()); }
};

TEST_P(ManPagesTest, AreReadWithoutAWarning) {
  const Ran ran = RunInShell("groff -man -ww -z -Tutf8 " + Page());
  EXPECT_EQ(ran.exit_code, 0) << "is groff-base installed?";
  EXPECT_EQ(ran.err, "");
}

TEST_P(ManPagesTest, HaveEveryOptionAndEveryCommandOfTheHelp) {
  // As plain text, so wide that no line is broken.
  const std::string text = "\n" + RunInShell("groff -man -Tutf8 -rLL=500n -P-cbou " + Page()).out;
  std::set<std::string> commands;
  const std::set<std::string> options = AllOptions(Program(), "", commands);
  EXPECT_GE(options.size(), 3u);
  for (const std::string& option : options) {
    // Where it is explained, not merely mentioned.
    const std::regex entry("\n +(-\\w, )?" + option + "( |\n)");
    EXPECT_TRUE(std::regex_search(text, entry)) << option;
  }
  for (const std::string& command : commands) {
    // How far text is set off depends on groff's version.
    EXPECT_TRUE(std::regex_search(text, std::regex("\n +" + command + "\n"))) << command;
  }
}

TEST_P(ManPagesTest, HaveAllThatAManualHas) {
  const std::string text = "\n" + RunInShell("groff -man -Tutf8 -rLL=500n -P-cbou " + Page()).out;
  for (const char* title : {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "FILES",
                            "EXAMPLES", "SEE ALSO"}) {
    EXPECT_THAT(text, testing::HasSubstr(fmt::format("\n{}\n", title)));
  }
  EXPECT_TRUE(std::regex_search(text, std::regex(fmt::format("\n +{} - ", GetParam()))));
}

INSTANTIATE_TEST_SUITE_P(Of, ManPagesTest,
                         testing::Values("ktstr-analyze", "ktstr-capture", "ktstr-replay",
                                         "ktstr-run"),
                         [](const auto& program) {
                           return std::string(program.param).substr(sizeof("ktstr"));
                         });

}  // namespace
}  // namespace ktstr

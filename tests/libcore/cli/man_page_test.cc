#include "libcore/cli/man_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libcore/cli/parse.h"

namespace ktstr {
namespace {

using testing::HasSubstr;
using testing::Not;

class ManPageTest : public testing::Test {
 protected:
  ManPageTest() {
    program_.Add("FILE", &file_, "What to look at").TypeName("");
    program_.AddVersion("--version", "program 1.2");
    program_.SetSubcommandNeed(SubcommandNeed::kOptional);
    program_.AddSubcommand("cut", "Takes a part of it", [this](Options* cut) {
      cut->Add("-s,--size", &size_, "Of the part").TypeName("N").BetweenShown(1, 9).ShowDefault();
      cut->Add("--unit", &unit_, "What N counts").OneOf({"pages", "bytes"}).Needs("--size");
      cut->AddSubcommand("off", "Takes it off", [](Options*) {});
    });
    program_.SetFooter(
        "More of it.\n\nExamples:\n  program x.kts\n\n"
        "Exit codes: 0 done, 1 no (cut, mend), 2 wrong\nusage.");
    program_.SetManual([] {
      return Manual{.brief = "look at files",
                    .sections = {{"FILES", "", {{"x.kts", "A file."}}}},
                    .see_also = {"ls(1)", "cat(1)"}};
    });
  }

  Options program_{"program", "Looks at files."};
  std::string file_, unit_;
  int size_ = 4;
};

TEST_F(ManPageTest, HasTheSectionsOfAManualInTheirOrder) {
  const std::string page = ManPage(program_);
  size_t at = 0;
  for (const char* title : {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS",
                            "FILES", "EXAMPLES", "SEE ALSO"}) {
    const size_t found = page.find(std::string("\n.SH ") + title + "\n", at);
    ASSERT_NE(found, std::string::npos) << title << " in\n" << page;
    at = found;
  }
  EXPECT_THAT(page, HasSubstr(".TH PROGRAM 1 \"\" \"ktstr 1.2\""));
  EXPECT_THAT(page, HasSubstr("program \\- look at files\n"));
}

TEST_F(ManPageTest, SaysOfAnOptionWhatHoldsOfIt) {
  const std::string page = ManPage(program_);
  EXPECT_THAT(page, HasSubstr(".TP\n\\fB\\-s\\fR, \\fB\\-\\-size\\fR \\fIN\\fR\n"
                              "Of the part. From 1 to 9. Default: 4.\n"));
  EXPECT_THAT(page, HasSubstr("What N counts. One of: pages, bytes. Only with \\-\\-size.\n"));
  EXPECT_THAT(page, HasSubstr(".SS \"cut off\"\n"));
}

TEST_F(ManPageTest, TakesExamplesAndExitCodesOutOfTheFooter) {
  const std::string page = ManPage(program_);
  EXPECT_THAT(page, HasSubstr("More of it.\n.SH OPTIONS"));
  EXPECT_THAT(page, HasSubstr(".EX\nprogram x.kts\n.EE"));
  EXPECT_THAT(page, HasSubstr("\\fB1\\fR\nno (cut, mend)\n.TP\n\\fB2\\fR\nwrong usage\n"));
}

TEST_F(ManPageTest, IsAskedForByAWordThatHelpDoesNotKnow) {
  const char* words[] = {"program", "--man-page"};
  EXPECT_EQ(ParseProgramWords(program_, 2, words).text, ManPage(program_));
  EXPECT_THAT(ParseWords(program_, {"--help"}).text, Not(HasSubstr("man-page")));
}

}  // namespace
}  // namespace ktstr

#include "libcore/cli/complete.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libcore/cli/parse.h"

namespace ktstr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A program as ktstr-analyze is: an archive, and then what to do with it.
class CompleteTest : public testing::Test {
 protected:
  CompleteTest() {
    program_.Add("FILE", &file_, "The archive").TypeName("").Files(".kts");
    program_.Add("-q,--quiet", &quiet_, "Say less");
    program_.Add("--types", &types_, "Where types are").TypeName("FILE");
    program_.AddVersion("--version", "program 1.2");
    program_.UnderstandBehindSubcommands();
    program_.SetSubcommandNeed(SubcommandNeed::kOptional);
    program_.AddSubcommand("cut", "Takes a part of it. Or more.", [this](Options* cut) {
      cut->Add("--unit", &unit_, "What N counts").OneOf({"pages", "bytes"});
      cut->Add("--only", &only_, "Parts").Delimiter(',').Offer([] {
        return std::vector<std::string>{"tasks", "queues"};
      });
    });
    program_.AddSubcommand("copy", "Puts it elsewhere", [this](Options* copy) {
      copy->Add("DIR", &directory_, "Where").TypeName("");
    });
    program_.AddSubcommand("list", "Says what there is", [](Options*) {}).StandsAlone();
  }

  // The words that are offered for the last one.
  std::vector<std::string> Offered(const std::vector<std::string>& words) {
    std::vector<std::string> offered;
    for (const auto& word : Complete(program_, words).words) offered.push_back(word.text);
    return offered;
  }

  Options program_{"program", "Looks at archives."};
  std::string file_, types_, unit_, directory_;
  std::vector<std::string> only_;
  bool quiet_ = false;
};

TEST_F(CompleteTest, AnArgumentComesFirstAndWhatMakesSenseWithoutIt) {
  const Completion completion = Complete(program_, {""});
  EXPECT_EQ(completion.files, FileKind::kFiles);
  EXPECT_EQ(completion.suffix, ".kts");
  EXPECT_THAT(Offered({""}), ElementsAre("list"));
}

TEST_F(CompleteTest, SubcommandsFollowTheArgument) {
  EXPECT_THAT(Offered({"a.kts", ""}), ElementsAre("cut", "copy", "list"));
  EXPECT_THAT(Offered({"a.kts", "cu"}), ElementsAre("cut"));
  EXPECT_THAT(Offered({"a.kts", "--quiet", "--types", "x", "cu"}), ElementsAre("cut"));
  EXPECT_EQ(Complete(program_, {"a.kts", ""}).files, FileKind::kNone);
}

TEST_F(CompleteTest, AnArgumentThatIsMissingMayFollowTheSubcommand) {
  EXPECT_EQ(Complete(program_, {"cut", ""}).suffix, ".kts");
  EXPECT_EQ(Complete(program_, {"a.kts", "cut", ""}).files, FileKind::kNone);
  EXPECT_EQ(Complete(program_, {"a.kts", "copy", ""}).files, FileKind::kDirectories);
}

TEST_F(CompleteTest, OptionsAreThoseOfTheSubcommandAndOfTheProgram) {
  EXPECT_THAT(Offered({"a.kts", "cut", "--"}),
              ElementsAre("--unit", "--only", "--quiet", "--types", "--version", "--help"));
  EXPECT_THAT(Offered({"--q"}), ElementsAre("--quiet"));
  EXPECT_THAT(Offered({"--", "--q"}), IsEmpty());
}

TEST_F(CompleteTest, AValueIsOneOfItsWordsOrAFile) {
  EXPECT_THAT(Offered({"a.kts", "cut", "--unit", ""}), ElementsAre("pages", "bytes"));
  EXPECT_THAT(Offered({"a.kts", "cut", "--unit", "b"}), ElementsAre("bytes"));
  EXPECT_THAT(Offered({"a.kts", "cut", "--only", "tasks,q"}), ElementsAre("tasks,queues"));
  EXPECT_EQ(Complete(program_, {"--types", ""}).files, FileKind::kFiles);
  EXPECT_EQ(Complete(program_, {"--types", ""}).suffix, "");
}

TEST_F(CompleteTest, ScriptsGetALineForFilesAndOneForEachWord) {
  const char* words[] = {"program", "--complete-words", "a.kts", "c"};
  EXPECT_EQ(ParseProgramWords(program_, 4, words).text,
            "none\ncut\tTakes a part of it\ncopy\tPuts it elsewhere\n");
  const char* first[] = {"program", "--complete-words", "x"};
  EXPECT_EQ(ParseProgramWords(program_, 3, first).text, "files .kts\n");
}

}  // namespace
}  // namespace ktstr

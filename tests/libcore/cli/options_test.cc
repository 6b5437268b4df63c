#include "libcore/cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "libcore/cli/parse.h"

namespace ktstr {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A program with a subcommand "cut", which notes when its options are declared.
class OptionsTest : public testing::Test {
 protected:
  OptionsTest() {
    program_.Add("FILE", &file_, "What to look at").TypeName("");
    program_.Add("-q,--quiet", &quiet_, "Say less");
    program_.AddVersion("--version", "program 1.2");
    program_.UnderstandBehindSubcommands();
    program_.SetSubcommandNeed(SubcommandNeed::kOptional);
    program_.AddSubcommand("cut", "Takes a part of it", [this](Options* cut) {
      ++declared_;
      cut->Add("--size", &size_, "Of the part").TypeName("N").Between(1, 9).ShowDefault();
      cut->Add("--unit", &unit_, "What N counts").OneOf({"pages", "bytes"});
      cut->OnChosen([this] { ++chosen_; });
    });
    program_.AddSubcommand("mend", "Makes it whole", [](Options*) {});
  }

  ParsedWords Parse(std::vector<std::string> words) {
    return ParseWords(program_, std::move(words));
  }

  Options program_{"program", "Looks at files."};
  std::string file_, unit_;
  bool quiet_ = false;
  int size_ = 4, declared_ = 0, chosen_ = 0;
};

TEST_F(OptionsTest, AnOptionOfTheProgramIsUnderstoodBehindASubcommand) {
  const ParsedWords parsed = Parse({"a.kts", "cut", "--size", "7", "-q"});
  EXPECT_EQ(parsed.kind, ParsedWords::Kind::kChosen);
  EXPECT_TRUE(parsed.names_subcommand);
  EXPECT_EQ(file_, "a.kts");
  EXPECT_EQ(size_, 7);
  EXPECT_TRUE(quiet_);
  EXPECT_EQ(chosen_, 1);
}

TEST_F(OptionsTest, OptionsOfASubcommandThatNoWordNamesAreNotDeclared) {
  EXPECT_EQ(Parse({"a.kts", "mend"}).kind, ParsedWords::Kind::kChosen);
  EXPECT_EQ(declared_, 0);
  EXPECT_EQ(chosen_, 0);
  EXPECT_THAT(program_.subcommands().front().options(), IsEmpty());
}

TEST_F(OptionsTest, HelpListsASubcommandWhoseOptionsAreNotDeclared) {
  const ParsedWords parsed = Parse({"--help"});
  EXPECT_EQ(parsed.kind, ParsedWords::Kind::kAnswer);
  EXPECT_THAT(parsed.text, HasSubstr("cut                   Takes a part of it"));
  EXPECT_EQ(declared_, 0);
}

TEST_F(OptionsTest, WhatIsWrongSaysWhatWasAllowed) {
  const ParsedWords size = Parse({"cut", "--size", "10"});
  EXPECT_EQ(size.kind, ParsedWords::Kind::kWrong);
  // As CLI11 2.1 and 2.6 say it.
  EXPECT_THAT(size.wrong, AnyOf("--size: Value 10 not in range 1 to 9",
                                "--size: Value 10 not in range [1 - 9]"));
  EXPECT_EQ(size.text, size.wrong + "\nRun with --help for more information.\n");
  EXPECT_EQ(Parse({"cut", "--unit", "miles"}).wrong, "--unit: miles not in {pages,bytes}");
  EXPECT_EQ(chosen_, 0);
}

TEST_F(OptionsTest, WordsThatNothingTakesAreGivenBack) {
  const ParsedWords parsed = Parse({"a.kts", "cutt"});
  EXPECT_EQ(parsed.kind, ParsedWords::Kind::kWrong);
  EXPECT_THAT(parsed.extra, ElementsAre("cutt"));
  EXPECT_FALSE(parsed.names_subcommand);
}

TEST_F(OptionsTest, AnOptionThatIsMistypedIsAnsweredWithTheNearest) {
  const ParsedWords own = Parse({"cut", "--sise=7"});
  EXPECT_EQ(own.wrong, "unknown option '--sise'; did you mean '--size'?");
  EXPECT_EQ(own.text, own.wrong + "\nRun with --help for more information.\n");
  EXPECT_EQ(Parse({"cut", "--queit"}).wrong, "unknown option '--queit'; did you mean '--quiet'?");
  EXPECT_EQ(Parse({"mend", "--verison"}).wrong,
            "unknown option '--verison'; did you mean '--version'?");
  EXPECT_EQ(chosen_, 0);
}

TEST_F(OptionsTest, HelpIsAWordAsWell) {
  const auto ask = [this](std::vector<const char*> words) {
    words.insert(words.begin(), "program");
    return ParseProgramWords(program_, static_cast<int>(words.size()), words.data());
  };
  EXPECT_EQ(ask({"help"}).kind, ParsedWords::Kind::kAnswer);
  EXPECT_EQ(ask({"help"}).text, ask({"--help"}).text);
  EXPECT_EQ(ask({"help", "cut"}).text, ask({"cut", "--help"}).text);
  EXPECT_THAT(ask({"help", "cut"}).text, HasSubstr("--size"));
  EXPECT_EQ(ask({"a-file", "help", "cut"}).text, ask({"cut", "--help"}).text);
  EXPECT_EQ(ask({"help", "cutt"}).wrong, "unknown subcommand 'cutt'; did you mean 'cut'?");
  EXPECT_EQ(ask({"help", "cut", "all"}).wrong, "'cut' has no subcommands");
  // Anywhere else it is a word like any other.
  EXPECT_EQ(ask({"help.kts", "cut"}).kind, ParsedWords::Kind::kChosen);
}

TEST_F(OptionsTest, TheVersionIsAnAnswer) {
  const ParsedWords parsed = Parse({"--version"});
  EXPECT_EQ(parsed.kind, ParsedWords::Kind::kAnswer);
  EXPECT_EQ(parsed.text, "program 1.2\n");
}

TEST_F(OptionsTest, AllThatWasDeclaredCanBeListed) {
  program_.DeclareAll();
  program_.DeclareAll();
  EXPECT_EQ(declared_, 1);
  EXPECT_THAT(program_.SubcommandNames(), ElementsAre("cut", "mend"));
  EXPECT_THAT(program_.LongNames(), ElementsAre("--help", "--quiet", "--version"));
  const Options& cut = program_.subcommands().front();
  EXPECT_THAT(cut.LongNames(), ElementsAre("--help", "--size", "--unit"));
  const Option& size = cut.options().front();
  EXPECT_EQ(size.help(), "Of the part");
  EXPECT_EQ(size.type_name(), "N");
  EXPECT_EQ(size.range()->most, 9);
  EXPECT_THAT(cut.options().back().words(), ElementsAre("pages", "bytes"));
}

TEST(RequiredUnlessTest, IsAskedForOnlyWhereTheOtherOptionIsNotGiven) {
  bool list = false;
  std::vector<std::string> files;
  Options program("program", "");
  program.Add("FILES", &files, "").RequiredUnless("--list");
  program.Add("--list", &list, "");
  EXPECT_EQ(ParseWords(program, {}).wrong, "FILES is required");
  EXPECT_EQ(ParseWords(program, {"--list"}).kind, ParsedWords::Kind::kChosen);
  EXPECT_EQ(ParseWords(program, {"a", "b"}).kind, ParsedWords::Kind::kChosen);
  EXPECT_THAT(files, ElementsAre("a", "b"));
}

}  // namespace
}  // namespace ktstr

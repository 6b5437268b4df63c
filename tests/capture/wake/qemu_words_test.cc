#include "capture/wake/qemu_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ktstr {
namespace {

using testing::ElementsAre;

TEST(QemuWordsTest, OptionsHaveAValueOrNoneAsQemuSays) {
  const std::vector<std::string> argv = {"qemu-system-x86_64", "-S",       "--machine", "q35",
                                         "-no-reboot",         "disk.img", "-m",        "1G"};
  const QemuWords words = SplitQemuCommand(argv);
  EXPECT_THAT(words.program, ElementsAre("qemu-system-x86_64"));
  EXPECT_THAT(words.options,
              ElementsAre(QemuOption{"S"}, QemuOption{"machine", "q35"}, QemuOption{"no-reboot"},
                          QemuOption{"", "disk.img"}, QemuOption{"m", "1G"}));
  EXPECT_THAT(JoinQemuCommand(words), ElementsAre("qemu-system-x86_64", "-S", "-machine", "q35",
                                                  "-no-reboot", "disk.img", "-m", "1G"));
}

TEST(QemuWordsTest, WhatStandsBeforeTheProgramBelongsToIt) {
  const QemuWords words =
      SplitQemuCommand({"/lib64/ld.so", "--library-path", "/x", "/x/qemu-system-x86_64", "-S"});
  EXPECT_THAT(words.program,
              ElementsAre("/lib64/ld.so", "--library-path", "/x", "/x/qemu-system-x86_64"));
  EXPECT_THAT(words.options, ElementsAre(QemuOption{"S"}));
  EXPECT_TRUE(SplitQemuCommand({}).program.empty());
}

TEST(QemuPropertiesTest, TextComesBackWithItsCommas) {
  const std::string text = "file,id=a,path=/x,,y,server=on";
  auto properties = QemuProperties::Parse(text, "backend");
  ASSERT_TRUE(properties);
  EXPECT_EQ(properties->Get("backend"), "file");
  EXPECT_EQ(properties->Get("path"), "/x,y");
  EXPECT_FALSE(properties->Has("wait"));
  EXPECT_EQ(properties->ToText(), text);
  properties->Erase("server");
  properties->Set("backend", "null");
  EXPECT_EQ(properties->ToText(), "null,id=a,path=/x,,y");
}

TEST(QemuPropertiesTest, AJsonObjectIsTheSame) {
  const auto properties = QemuProperties::Parse(
      R"({"qom-type":"memory-backend-ram","id":"pc.ram","size":536870912,"share":false})",
      "qom-type");
  ASSERT_TRUE(properties);
  EXPECT_EQ(properties->Get("size"), "536870912");
  EXPECT_EQ(properties->Get("share"), "off");
  EXPECT_TRUE(properties->ToText().starts_with("memory-backend-ram,"));
  EXPECT_FALSE(QemuProperties::Parse(R"({"a":{"b":1}})", ""));
  EXPECT_FALSE(QemuProperties::Parse("{", ""));
}

}  // namespace
}  // namespace ktstr

#include "libcore/base/text_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace ktstr {
namespace {

TEST(TextFileTest, WhatIsWrittenIsRead) {
  const auto file =
      std::filesystem::path(testing::TempDir()) / ("text_file_test." + std::to_string(getpid()));
  const std::string text("a\r\nb\0c", 6);
  ASSERT_TRUE(WriteTextFile(file, text));
  EXPECT_EQ(ReadTextFile(file), text);
  ASSERT_TRUE(WriteTextFile(file, ""));
  EXPECT_EQ(ReadTextFile(file), "");
  std::filesystem::remove(file);
  EXPECT_EQ(ReadTextFile(file).error().code(), ErrorCode::kNotFound);
}

TEST(TextFileTest, ErrorsHaveTheSystemsReason) {
  EXPECT_EQ(ReadTextFile("/").error().message(), "cannot read '/': Is a directory");
  EXPECT_EQ(WriteTextFile("/no/such/file", "").error().message(),
            "/no/such/file cannot be created: No such file or directory");
}

}  // namespace
}  // namespace ktstr

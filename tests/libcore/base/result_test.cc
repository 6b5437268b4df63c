#include "libcore/base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace ktstr {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Fail(ErrorCode::kInvalidArgument, "odd");
  return n / 2;
}

Result<int> Quarter(int n) {
  const int half = KTSTR_TRY(Half(n));
  return KTSTR_TRY(Half(half));
}

Status CheckEven(int n) {
  KTSTR_TRY(Half(n));
  return {};
}

Status CheckTwice(int n) {
  KTSTR_TRY(CheckEven(n));
  KTSTR_TRY(CheckEven(n + 1));
  return {};
}

Result<std::unique_ptr<int>> Boxed(int n) { return std::make_unique<int>(KTSTR_TRY(Half(n))); }

TEST(ResultTest, TryYieldsTheValueOrReturnsTheError) {
  EXPECT_EQ(Quarter(8), 2);
  EXPECT_EQ(Quarter(6).error().message(), "odd");
  EXPECT_FALSE(CheckTwice(2).has_value());
}

Result<int> Unbox(int n) {
  std::unique_ptr<int> box = KTSTR_TRY(Boxed(n));
  return *box;
}

TEST(ResultTest, TryMovesOutOfAResultThatCannotBeCopied) { EXPECT_EQ(Unbox(6), 3); }

TEST(ResultTest, AWrappedErrorKeepsItsCodeAndTellsTheWholeStory) {
  const Error error =
      Error(ErrorCode::kDamaged, "checksum differs").Wrap("reading frame 3").Wrap("opening a.kts");
  EXPECT_EQ(error.code(), ErrorCode::kDamaged);
  EXPECT_EQ(error.ToString(), "opening a.kts: reading frame 3: checksum differs");
}

TEST(ResultTest, ExitCodesSeparateTheInputFromTheEnvironment) {
  EXPECT_EQ(ExitCodeFor(ErrorCode::kInvalidArgument), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kDamaged), ExitCode::kBadInput);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kIo), ExitCode::kEnvironment);
}

}  // namespace
}  // namespace ktstr

#include "libcore/base/output_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "fixtures/sample/temporary_directory.h"
#include "libcore/base/text_file.h"

namespace ktstr {
namespace {

using Bytes = std::vector<std::byte>;
using synthetic::TemporaryDirectory;
using Existing = OutputFile::Existing;
using Naming = OutputFile::Naming;

Bytes ReadFile(const std::filesystem::path& path) {
  const std::string text = ReadTextFile(path).value();
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void WriteFile(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
}

// Both ways of writing must keep the same promises.
class OutputFileTest : public testing::TestWithParam<Naming> {
 protected:
  Result<OutputFile> Create(Existing existing) {
    return OutputFile::Create(path_, existing, GetParam());
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "x.kts";
  Bytes old_ = Bytes(3, std::byte('o'));
  Bytes new_ = Bytes(5'000'000, std::byte('n'));
};

TEST_P(OutputFileTest, TheNameAppearsOnlyWhenItIsPublished) {
  {
    OutputFile file = Create(Existing::kKeep).value();
    ASSERT_TRUE(file.Append(new_));
    EXPECT_FALSE(std::filesystem::exists(path_));
    ASSERT_TRUE(file.Publish());
  }
  EXPECT_EQ(ReadFile(path_), new_);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
}

TEST_P(OutputFileTest, AFileThatIsNotPublishedLeavesNothing) {
  {
    OutputFile file = Create(Existing::kKeep).value();
    ASSERT_TRUE(file.Append(new_));
  }
  EXPECT_TRUE(directory_.empty());
}

TEST_P(OutputFileTest, AnExistingFileIsReplacedWholeOrNotAtAll) {
  WriteFile(path_, old_);
  {
    OutputFile file = Create(Existing::kReplace).value();
    ASSERT_TRUE(file.Append(new_));
  }
  EXPECT_EQ(ReadFile(path_), old_);
  {
    OutputFile file = Create(Existing::kReplace).value();
    ASSERT_TRUE(file.Append(new_));
    ASSERT_TRUE(file.Publish());
  }
  EXPECT_EQ(ReadFile(path_), new_);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
}

TEST_P(OutputFileTest, AnExistingFileThatIsToBeKeptIsAnErrorAtOnce) {
  WriteFile(path_, old_);
  const auto file = Create(Existing::kKeep);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), ErrorCode::kExists);
  EXPECT_EQ(file.error().message(), "'" + path_.native() + "' exists already: choose another name");
}

TEST_P(OutputFileTest, AFileThatAppearsMeanwhileIsKept) {
  {
    OutputFile file = Create(Existing::kKeep).value();
    WriteFile(path_, old_);
    const Status status = file.Publish();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::kExists);
  }
  EXPECT_EQ(ReadFile(path_), old_);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
}

TEST_P(OutputFileTest, WhatIsNoFileIsNotReplaced) {
  std::filesystem::create_directory(path_);
  EXPECT_EQ(Create(Existing::kReplace).error().code(), ErrorCode::kExists);
  EXPECT_EQ(OutputFile::Create("/dev/null", Existing::kReplace, GetParam()).error().code(),
            ErrorCode::kExists);
}

TEST_P(OutputFileTest, ADirectoryThatDoesNotExistIsAnErrorWithTheReason) {
  const auto file = OutputFile::Create(directory_ / "no/x.kts", Existing::kKeep, GetParam());
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), ErrorCode::kIo);
  EXPECT_EQ(file.error().message(),
            (directory_ / "no/x.kts").native() + " cannot be created: No such file or directory");
}

TEST_P(OutputFileTest, ADiskThatTakesNoMoreIsAnErrorWithTheReasonAndLeavesNothing) {
  signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {4'000'000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  {
    OutputFile file = Create(Existing::kKeep).value();
    Status status;
    for (int i = 0; i < 3 && status; ++i) status = file.Append(new_);
    EXPECT_FALSE(status);
    if (!status) {
      EXPECT_EQ(status.error().code(), ErrorCode::kIo);
      EXPECT_EQ(status.error().message(), path_.native() + " cannot be written: File too large");
    }
  }
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(directory_.empty());
}

TEST_P(OutputFileTest, IsForItsOwnerAloneUnlessOthersAreToReadIt) {
  namespace fs = std::filesystem;
  const mode_t old = umask(0);
  for (const auto readers : {OutputFile::Readers::kOwner, OutputFile::Readers::kByUmask}) {
    EXPECT_TRUE(OutputFile::Create(path_, Existing::kReplace, GetParam(), readers)->Publish());
    const auto mode = static_cast<unsigned>(fs::status(path_).permissions());
    EXPECT_EQ(mode, readers == OutputFile::Readers::kOwner ? 0600u : 0666u);
  }
  umask(old);
}

TEST_P(OutputFileTest, ANameWithoutADirectoryIsInTheCurrentOne) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory_.path());
  const Status published = OutputFile::Create("x.kts", Existing::kKeep, GetParam())->Publish();
  std::filesystem::current_path(before);
  EXPECT_TRUE(published);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

INSTANTIATE_TEST_SUITE_P(Naming, OutputFileTest,
                         testing::Values(Naming::kAnonymousIfPossible, Naming::kTemporaryName),
                         [](const auto& info) {
                           return info.param == Naming::kTemporaryName ? "Temporary" : "Anonymous";
                         });

}  // namespace
}  // namespace ktstr

// ktstr-replay ops as a user runs it, on the archive of a synthetic kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fixtures/sample/temporary_directory.h"
#include "fixtures/synthetic/sched_builder.h"
#include "libcore/archive/writer.h"
#include "libcore/ops/json.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using synthetic::SchedBuilder;
using synthetic::SyntheticGuest;
using synthetic::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Ran {
  int exit_code = -1;
  std::string out;
};

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class OpsProgramTest : public ::testing::Test {
 protected:
  OpsProgramTest() {
    KernelBuilder kernel;
    SchedBuilder sched(kernel);
    kernel.Put<uint64_t>(kernel.Data("variable", 64), 5);
    sched.AddProcess({.pid = 1, .comm = "init"});
    kernel.Set("rq", kernel.PerCpu("runqueues", 1), "nr_running", 3);
    left_out_ = kernel.Allocate(kPageSize, kPageSize);
    const Pa left_out = kernel.PaOf(left_out_);
    sched.Finish();
    const SyntheticGuest guest = kernel.Finish();
    guest.memory->LeaveOut(Pfn::Of(left_out), LeftOutReason::kUserData);
    ArchiveMetadata metadata;
    metadata.tags = {{"suite", "ops"}};
    const auto device_state = std::as_bytes(std::span("device state"));
    const auto written =
        WriteArchive(archive(), {*guest.memory, guest.vcpus, device_state, metadata}, {});
    EXPECT_TRUE(written) << written.error().ToString();
  }

  std::filesystem::path archive() const { return directory_ / "a.kts"; }

  // Runs the program on the archive with that request on standard input.
  Ran Ops(const std::string& request, const std::string& options = "") {
    return Run("ops " + archive().string() + " --request - " + options, request);
  }
  Ran Run(const std::string& arguments, const std::string& input = "") {
    const auto errors = directory_ / "errors", stdin_file = directory_ / "input";
    std::ofstream(stdin_file) << input;
    const std::string command = std::string(KTSTR_REPLAY) + " " + arguments + " <" +
                                stdin_file.string() + " 2>" + errors.string();
    FILE* pipe = popen(command.c_str(), "r");
    Ran ran;
    std::array<char, 4096> buffer;
    for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
      ran.out.append(buffer.data(), n);
    }
    const int status = pclose(pipe);
    if (WIFEXITED(status)) ran.exit_code = WEXITSTATUS(status);
    errors_ = ReadFile(errors);
    return ran;
  }

  static constexpr const char* kRead =
      R"({"request_id":7,"entries":[{"target":{"symbol":"variable"},"value":{"u64":0}},
          {"target":{"per_cpu_field":{"symbol":"runqueues","field":"nr_running","cpu":1}},
           "value":{"u32":0}}]})";
  static constexpr const char* kWrite =
      R"({"direction":"write","tag":"a change",
          "entries":[{"target":{"symbol":"variable"},"value":{"u64":6}},
                     {"target":{"symbol":"variable"},"value":{"or_u32":16}}]})";

  TemporaryDirectory directory_;
  Kva left_out_;
  std::string errors_;
};

TEST_F(OpsProgramTest, AReadsReplyIsOneLineOfJson) {
  const Ran ran = Ops(kRead);
  EXPECT_EQ(ran.exit_code, 0) << errors_;
  EXPECT_EQ(ran.out,
            R"({"request_id":7,"success":true,"reason":"","read_values":[{"u64":5},{"u32":3}]})"
            "\n");
}

TEST_F(OpsProgramTest, TheRequestMayBeAFile) {
  const auto file = directory_ / "request.json";
  std::ofstream(file) << kRead;
  EXPECT_EQ(Run("ops " + archive().string() + " --request " + file.string()).exit_code, 0);
}

TEST_F(OpsProgramTest, AFailedBatchIsExitCode1AndTheReplySaysWhy) {
  const Ran ran = Ops(R"({"entries":[{"target":{"symbol":"nope"},"value":{"u32":0}}]})");
  EXPECT_EQ(ran.exit_code, 1);
  const auto reply = ReplyFromJson(ran.out);
  ASSERT_TRUE(reply) << ran.out;
  EXPECT_FALSE(reply->success);
  EXPECT_THAT(reply->reason, HasSubstr("entry[0]: Symbol 'nope'"));
}

TEST_F(OpsProgramTest, WhatWasNotCapturedIsAnErrorAndNotZero) {
  OpRequest request;
  request.entries = {{DirectTarget{left_out_}, U64Value{}}};
  const Ran ran = Ops(ToJson(request));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, HasSubstr("user data"));
}

TEST_F(OpsProgramTest, WritesTouchNothingThatIsKept) {
  const std::string before = ReadFile(archive());
  EXPECT_EQ(Ops(kWrite).exit_code, 0) << errors_;
  EXPECT_EQ(ReadFile(archive()), before);
  EXPECT_THAT(Ops(kRead).out, HasSubstr(R"({"u64":5})"));
}

TEST_F(OpsProgramTest, SavedChangesMakeANewArchiveThatNamesItsParent) {
  const std::string before = ReadFile(archive());
  const auto saved = directory_ / "b.kts";
  EXPECT_EQ(Ops(kWrite, "--save " + saved.string()).exit_code, 0) << errors_;
  EXPECT_EQ(ReadFile(archive()), before) << "the original is never touched";

  const auto parent = FrozenMachine::Open(archive()), child = FrozenMachine::Open(saved);
  ASSERT_TRUE(parent && child);
  const ArchiveMetadata& metadata = (*child)->archive().metadata();
  EXPECT_EQ(metadata.parent_digest, (*parent)->archive().digest());
  EXPECT_NE((*child)->archive().digest(), (*parent)->archive().digest());
  EXPECT_EQ(metadata.tags.at("suite"), "ops");
  EXPECT_EQ(metadata.tags.at("ops"), "a change");
  EXPECT_EQ((*child)->archive().ReadDeviceState().value(),
            (*parent)->archive().ReadDeviceState().value());
  EXPECT_EQ((*child)->Kernel().value()->ReadSymbol<uint64_t>("variable"), 6u | 16u);
  EXPECT_EQ((*parent)->Kernel().value()->ReadSymbol<uint64_t>("variable"), 5u);

  // Nothing else is different: only the variable's page, and fates stay.
  std::vector<Pfn> different;
  for (const MemoryRegion& region : (*parent)->memory().regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const PageView a = (*parent)->memory().View(pfn), b = (*child)->memory().View(pfn);
      ASSERT_EQ(a.fate(), b.fate()) << pfn.value();
      EXPECT_EQ(a.left_out_reason(), b.left_out_reason());
      if (a.readable() && std::memcmp(a.data(), b.data(), kPageSize) != 0) different.push_back(pfn);
    }
  }
  GuestKernel& kernel = *(*parent)->Kernel().value();
  const Pa variable = kernel.Translate(kernel.symbol_kva("variable").value()).value();
  EXPECT_THAT(different, ElementsAre(Pfn::Of(variable)));
}

TEST_F(OpsProgramTest, NothingIsSavedOfABatchThatFailed) {
  const auto saved = directory_ / "b.kts";
  const Ran ran = Ops(
      R"({"direction":"write","entries":[{"target":{"symbol":"variable"},"value":{"u32":1}},
                                         {"target":{"symbol":"nope"},"value":{"u32":1}}]})",
      "--save " + saved.string());
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_FALSE(std::filesystem::exists(saved));
}

TEST_F(OpsProgramTest, AnExistingFileIsNeverOverwritten) {
  const std::string before = ReadFile(archive());
  EXPECT_EQ(Ops(kWrite, "--save " + archive().string()).exit_code, 4);
  EXPECT_THAT(errors_, HasSubstr("exists"));
  EXPECT_EQ(ReadFile(archive()), before);
}

TEST_F(OpsProgramTest, WrongUsageAndWrongRequestsAreExitCode2) {
  EXPECT_EQ(Run("").exit_code, 2);
  EXPECT_EQ(Run("bogus").exit_code, 2);
  EXPECT_EQ(Run("ops").exit_code, 2);
  EXPECT_EQ(Run("ops " + archive().string()).exit_code, 2);
  EXPECT_EQ(Ops("{").exit_code, 2);
  EXPECT_EQ(std::count(errors_.begin(), errors_.end(), '\n'), 1) << errors_;
  EXPECT_EQ(Ops(R"({"entries":[{"target":{"symbol":1},"value":{"u32":0}}]})").exit_code, 2);
  EXPECT_THAT(errors_, HasSubstr("entry[0]"));
  EXPECT_EQ(Ops(kRead, "--save " + (directory_ / "b.kts").string()).exit_code, 2);
}

TEST_F(OpsProgramTest, AnArchiveThatCannotBeUsedIsExitCode3) {
  EXPECT_EQ(Run("ops /nonexistent.kts --request -", kRead).exit_code, 3);
  const auto text = directory_ / "text.kts";
  std::ofstream(text) << "not an archive";
  EXPECT_EQ(Run("ops " + text.string() + " --request -", kRead).exit_code, 3);
  EXPECT_THAT(errors_, HasSubstr(text.string()));
}

TEST_F(OpsProgramTest, HelpAndVersionAreNoErrors) {
  for (const char* arguments : {"--help", "--version", "ops --help"}) {
    EXPECT_EQ(Run(arguments).exit_code, 0) << arguments;
  }
}

}  // namespace
}  // namespace ktstr

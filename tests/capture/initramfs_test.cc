#include "capture/boot/initramfs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capture/boot/cpio_writer.h"
#include "capture/system/child_process.h"
#include "capture/system/memory_file.h"

namespace ktstr {
namespace {

using std::chrono::seconds;

// What cpio(1) says of the archive; with `arguments` its listing or the extraction to stdout.
std::string RunCpio(const std::vector<std::byte>& archive, const std::string& arguments) {
  const UniqueFd input = *MakeMemoryFile("archive", archive);
  const UniqueFd said = *MakeMemoryFile("said");
  auto cpio = ChildProcess::Start(
      {.argv = {"sh", "-c", "exec cpio --quiet " + arguments + " < " + PathOfFd(input.get())},
       .kept_fds = {input.get()},
       .stdout_fd = said.get(),
       .stderr_fd = said.get()});
  EXPECT_TRUE(cpio);
  const auto status = cpio->Wait(After(seconds(30)));
  EXPECT_EQ(status.value_or(-1), 0) << *ReadTail(said.get(), 1000);
  return *ReadTail(said.get(), 1 << 22);
}

TEST(CpioWriterTest, CpioListsWhatWasAddedWithTheDirectoriesOnTheWay) {
  CpioWriter writer;
  writer.AddDirectory("dev");
  writer.AddFile("etc/deep/er/file", std::string_view("hello"), 0640);
  writer.AddFile("etc/deep/other", std::string_view(""));
  writer.AddSymlink("bin/sh", "../init");
  const auto archive = std::move(writer).Finish();
  EXPECT_EQ(RunCpio(archive, "-t"),
            "dev\netc\netc/deep\netc/deep/er\netc/deep/er/file\netc/deep/other\nbin\nbin/sh\n");
  const std::string listing = RunCpio(archive, "-tv");
  EXPECT_THAT(listing, testing::ContainsRegex("-rw-r-----.* 5 .*etc/deep/er/file"));
  EXPECT_THAT(listing, testing::ContainsRegex("lrwxrwxrwx.*bin/sh -> ../init"));
}

TEST(CpioWriterTest, ContentsOfEveryLengthComeBackWhole) {
  for (size_t size = 0; size < 9; ++size) {
    CpioWriter writer;
    const std::string contents = std::string("abcdefghi").substr(0, size);
    writer.AddFile("file", std::string_view(contents));
    writer.AddFile("next", std::string_view("!"));
    EXPECT_EQ(RunCpio(std::move(writer).Finish(), "-i --to-stdout"), contents + "!");
  }
}

TEST(InitramfsTest, HoldsOurInitAsAnExecutableStaticProgram) {
  const auto program = GuestInitProgram();
  ASSERT_GT(program.size(), 100'000u);
  EXPECT_EQ(std::to_integer<int>(program[0]), 0x7f);
  KernelImage kernel;  // without modules
  CpioWriter writer;
  ASSERT_TRUE(AddGuestBase(kernel, &writer));
  const std::string listing = RunCpio(std::move(writer).Finish(), "-tv");
  EXPECT_THAT(listing, testing::ContainsRegex("-rwxr-xr-x.* init\n"));
  EXPECT_THAT(listing, testing::HasSubstr("ktstr/modules"));
}

}  // namespace
}  // namespace ktstr

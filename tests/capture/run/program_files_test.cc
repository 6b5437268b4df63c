// Which files a program takes into a guest, of this machine and of another system in a directory.
#include "capture/run/program_files.h"

#include <gmock/gmock.h>

#include <fstream>

#include "capture/run/payload_end.h"
#include "fixtures/sample/temporary_directory.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using synthetic::TemporaryDirectory;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;

std::vector<std::string> Places(const Result<std::vector<GuestFile>>& files) {
  EXPECT_TRUE(files) << files.error().ToString();
  std::vector<std::string> places;
  if (!files) return places;
  for (const GuestFile& file : *files) places.push_back(file.guest);
  return places;
}

// A system with this machine's /bin/true and what that needs, laid out as Debian's is: /lib is a
// link, and the interpreter one that is absolute.
class RootTest : public testing::Test {
 protected:
  RootTest() {
    const fs::path libraries = root_ / "usr/lib/x86_64-linux-gnu";
    fs::create_directories(libraries);
    fs::create_directories(root_ / "usr/lib64");
    fs::create_directories(root_ / "usr/bin");
    fs::create_directory_symlink("usr/lib", root_ / "lib");
    fs::create_directory_symlink("usr/lib64", root_ / "lib64");
    fs::copy_file("/bin/true", root_ / "usr/bin/true");
    fs::copy_file("/lib/x86_64-linux-gnu/libc.so.6", libraries / "libc.so.6");
    fs::copy_file("/lib64/ld-linux-x86-64.so.2", libraries / "ld.so");
    fs::create_symlink("/lib/x86_64-linux-gnu/ld.so", root_ / "lib64/ld-linux-x86-64.so.2");
  }

  TemporaryDirectory directory_;
  fs::path root_ = directory_ / "root";
};

TEST_F(RootTest, AProgramBringsTheLibrariesOfItsRoot) {
  const auto files = ProgramFiles(root_ / "usr/bin/true", root_);
  EXPECT_THAT(Places(files), IsSupersetOf({"/usr/bin/true", "/lib64/ld-linux-x86-64.so.2",
                                           "/lib/x86_64-linux-gnu/libc.so.6"}));
  for (const GuestFile& file : *files) {
    EXPECT_THAT(file.host.string(), testing::StartsWith(root_.string()));
    EXPECT_TRUE(fs::is_regular_file(file.host)) << file.host;
  }
}

TEST_F(RootTest, AProgramOutsideOfItStandsWhereItStandsHere) {
  const fs::path program = directory_ / "built";
  fs::copy_file("/bin/true", program);
  EXPECT_EQ(SeenInRoot(program, root_), program);
  EXPECT_EQ(SeenInRoot(root_ / "usr/bin/true", root_ / ""), "/usr/bin/true");
  EXPECT_THAT(Places(ProgramFiles(program, root_)),
              IsSupersetOf({program.string(), std::string("/lib/x86_64-linux-gnu/libc.so.6")}));
}

TEST_F(RootTest, WhatItLacksIsNotTakenFromThisMachine) {
  fs::remove(root_ / "usr/lib/x86_64-linux-gnu/libc.so.6");
  const auto files = ProgramFiles(root_ / "usr/bin/true", root_);
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(files.error().ToString(),
              testing::AllOf(HasSubstr("libc.so.6"), HasSubstr("in '" + root_.string() + "'")));
}

TEST_F(RootTest, LinksThatLeadInACircleAreAnError) {
  fs::create_symlink("b", root_ / "a");
  fs::create_symlink("a", root_ / "b");
  std::ofstream(root_ / "script") << "#!/a\n";
  EXPECT_FALSE(ProgramFiles(root_ / "script", root_));
}

TEST(PayloadEndTest, TheLastLineThatHasAnythingInItIsShown) {
  EXPECT_EQ(LastLine("a\nb c\n \n\n"), "b c");
  EXPECT_EQ(LastLine("only"), "only");
  EXPECT_EQ(LastLine("\n"), "");
  EXPECT_EQ(LastLine("x\n\x1b[31mred"), "\\x1b[31mred");
}

}  // namespace
}  // namespace ktstr

// Where kernels and programs for guests come from.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "capture/run/kernel_choice.h"
#include "capture/run/program_files.h"
#include "fixtures/sample/temporary_directory.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using synthetic::TemporaryDirectory;
using testing::AllOf;
using testing::HasSubstr;

fs::path Touch(const fs::path& file, const std::string& text = "") {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
  return file;
}

TEST(KernelChoice, APathIsItself) {
  const TemporaryDirectory directory;
  const fs::path image = Touch(directory / "bzImage");
  EXPECT_EQ(ResolveKernelIn(directory.path(), image.string()), image);
  const auto missing = ResolveKernelIn(directory.path(), "./no/such");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().ToString(), "there is no kernel './no/such'");
}

TEST(KernelChoice, ANameIsTheNewestInTheCache) {
  const TemporaryDirectory cache;
  const fs::path older = Touch(cache / "scx-small-6.12.1-aaa/bzImage");
  const fs::path newer = Touch(cache / "scx-small-6.12.9-bbb/bzImage");
  Touch(cache / "scx-small-6.13-empty/vmlinux");
  fs::last_write_time(older.parent_path(),
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(ResolveKernelIn(cache.path(), "scx-small"), newer);
  Touch(cache / "linux-image-6.12-cloud-amd64/boot/vmlinuz-6.12.9");
  const fs::path stock = Touch(cache / "linux-image-6.12-cloud-amd64/boot/vmlinuz-6.12.10");
  EXPECT_EQ(ResolveKernelIn(cache.path(), "debian-6.12"), stock);
}

TEST(KernelChoice, AnyKernelOfDebiansHasAName) {
  const TemporaryDirectory cache;
  const fs::path image = Touch(cache / "linux-image-7.3.4+deb13-cloud-amd64/boot/vmlinuz-7.3.4");
  for (const char* name : {"debian-7.3", "debian-newest", "debian-newest-7", "debian-7.3.4",
                           "debian-6.18-rt", "debian-newest-7-full"}) {
    const auto missing = ResolveKernelIn(cache.path(), name);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
    EXPECT_THAT(missing.error().ToString(),
                HasSubstr(std::string("kernel.sh ") + (name + 7) + " gets it"));
    fs::create_directory_symlink(image.parent_path().parent_path(), cache / name);
    EXPECT_EQ(ResolveKernelIn(cache.path(), name), cache / name / "boot/vmlinuz-7.3.4");
  }
  for (const char* name : {"debian-", "debian-7.", "debian-7.3-r", "debian-newest-", "debian-a"}) {
    EXPECT_EQ(ResolveKernelIn(cache.path(), name).error().code(), ErrorCode::kInvalidArgument)
        << name;
  }
}

TEST(KernelChoice, WhatIsNotThereIsToldWithTheWayToGetIt) {
  const TemporaryDirectory cache;
  EXPECT_THAT(ResolveKernelIn(cache.path(), "debian-6.1").error().ToString(),
              AllOf(HasSubstr("the kernel 'debian-6.1' is not in"),
                    HasSubstr("bash fixtures/guest/kernel.sh 6.1 gets it")));
  const auto unknown = ResolveKernelIn(cache.path(), "scx-smal");
  EXPECT_EQ(unknown.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(unknown.error().ToString(), HasSubstr("did you mean 'scx-small'?"));
}

std::vector<std::string> GuestPaths(const std::vector<GuestFile>& files) {
  std::vector<std::string> paths;
  for (const GuestFile& file : files) paths.push_back(file.guest);
  return paths;
}

TEST(ProgramFiles, AProgramComesWithItsLoaderAndLibraries) {
  // This test itself is a program that is linked with libraries, which know others.
  const fs::path self = fs::read_symlink("/proc/self/exe");
  const auto files = ProgramFiles(self);
  ASSERT_TRUE(files) << files.error().ToString();
  const auto paths = GuestPaths(*files);
  EXPECT_EQ(paths.front(), self);
  EXPECT_THAT(paths, testing::Contains(HasSubstr("ld-linux")));
  EXPECT_THAT(paths, testing::Contains(HasSubstr("/libc.so.6")));
  EXPECT_THAT(paths, testing::Contains(HasSubstr("/libstdc++.so.6")));
  // Each once.
  std::vector<std::string> sorted = paths;
  std::ranges::sort(sorted);
  EXPECT_EQ(std::ranges::adjacent_find(sorted), sorted.end());
}

TEST(ProgramFiles, AScriptComesWithItsInterpreter) {
  const TemporaryDirectory directory;
  const fs::path script = Touch(directory / "run", "#!/bin/sh -e\necho\n");
  const auto files = ProgramFiles(script);
  ASSERT_TRUE(files) << files.error().ToString();
  EXPECT_THAT(GuestPaths(*files), testing::IsSupersetOf({script.string(), std::string("/bin/sh")}));
}

TEST(ProgramFiles, WhatCannotRunInAGuestIsRefused) {
  const TemporaryDirectory directory;
  const auto text = ProgramFiles(Touch(directory / "text", "hello"));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code(), ErrorCode::kUnsupported);
  EXPECT_FALSE(ProgramFiles(directory / "none"));
}

}  // namespace
}  // namespace ktstr

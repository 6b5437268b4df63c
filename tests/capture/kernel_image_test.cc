#include "capture/boot/kernel_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "capture/boot/kernel_module.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;

class KernelImageTest : public testing::Test {
 protected:
  KernelImageTest() {
    std::string name = (fs::temp_directory_path() / "ktstr-kernel-XXXXXX").string();
    root_ = mkdtemp(name.data());
    fs::create_directories(root_ / "boot");
  }
  ~KernelImageTest() override { fs::remove_all(root_); }

  // The part of a bzImage's header that says which kernel it is.
  fs::path WriteImage(const std::string& version) {
    std::string image(0x4000, '\0');
    image.replace(0x202, 4, "HdrS");
    image[0x20e] = 0x00;
    image[0x20f] = 0x30;
    image.replace(0x3200, version.size(), version);
    const fs::path path = root_ / "boot" / "vmlinuz-test";
    std::ofstream(path, std::ios::binary) << image;
    return path;
  }

  fs::path root_;
};

TEST_F(KernelImageTest, TellsTheReleaseAndFindsTheModulesBesideIt) {
  fs::create_directories(root_ / "lib/modules/6.12.1-test");
  const auto kernel = OpenKernelImage(WriteImage("6.12.1-test (us@here) #1 SMP"));
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  EXPECT_EQ(kernel->release, "6.12.1-test");
  EXPECT_EQ(kernel->modules, root_ / "lib/modules/6.12.1-test");
}

TEST_F(KernelImageTest, FindsTheConfigurationThatIsTheKernelsOwn) {
  const fs::path image = WriteImage("6.12.1-test (us@here) #1 SMP");
  std::ofstream(root_ / "boot/config-6.12.2-test") << "of another one";
  EXPECT_EQ(OpenKernelImage(image)->config, "");
  const fs::path in_modules = root_ / "lib/modules/6.12.1-test/config";
  fs::create_directories(in_modules.parent_path());
  std::ofstream(in_modules) << "CONFIG_HZ=250";
  EXPECT_EQ(OpenKernelImage(image)->config, in_modules);
  const fs::path beside = root_ / "boot/config-6.12.1-test";
  std::ofstream(beside) << "CONFIG_HZ=250";
  EXPECT_EQ(OpenKernelImage(image)->config, beside);
}

TEST_F(KernelImageTest, WhatIsNoBzImageIsUnsupported) {
  EXPECT_EQ(OpenKernelImage("/etc/passwd").error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(OpenKernelImage(root_ / "missing").error().code(), ErrorCode::kNotFound);
}

TEST_F(KernelImageTest, BuiltInModulesNeedNoFileAndMissingOnesAreNamed) {
  const fs::path modules = root_ / "lib/modules/6.12.1-test";
  fs::create_directories(modules);
  std::ofstream(modules / "modules.builtin") << "kernel/drivers/virtio/virtio_pci.ko\n";
  const auto kernel = OpenKernelImage(WriteImage("6.12.1-test "));
  ASSERT_TRUE(kernel);
  const auto none = ResolveModules(*kernel, {"virtio_pci"});
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  const auto missing = ResolveModules(*kernel, {"virtio_console"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().ToString(), testing::HasSubstr("virtio_console"));
}

TEST_F(KernelImageTest, DamagedAndCompressedModulesAreErrorsThatNameThem) {
  const fs::path modules = root_ / "lib/modules/6.12.1-test";
  fs::create_directories(modules);
  std::ofstream(modules / "broken.ko") << "not an ELF file";
  std::ofstream(modules / "packed.ko.xz") << "x";
  const auto kernel = OpenKernelImage(WriteImage("6.12.1-test "));
  ASSERT_TRUE(kernel);
  EXPECT_EQ(ResolveModules(*kernel, {"broken"}).error().code(), ErrorCode::kDamaged);
  EXPECT_EQ(ResolveModules(*kernel, {"packed"}).error().code(), ErrorCode::kUnsupported);
}

TEST(KernelModuleTest, AModulesNameComesFromItsFile) {
  EXPECT_EQ(ModuleName("/x/virtio-rng.ko.xz"), "virtio_rng");
  EXPECT_EQ(ModuleName("kernel/virtio.ko"), "virtio");
  EXPECT_EQ(ModuleName("modules.builtin"), "");
}

}  // namespace
}  // namespace ktstr

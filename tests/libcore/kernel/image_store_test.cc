// Decoded symbols and types in files: that they are those of the machine, or not used.
#include "libcore/kernel/image_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "fixtures/sample/temporary_directory.h"
#include "fixtures/synthetic/kernel_builder.h"
#include "libcore/image/btf.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using synthetic::KernelOptions;
using synthetic::SyntheticGuest;

constexpr int kSymbols = 6000;  // more than GuestKernel finds too few to keep

SyntheticGuest Machine(uint64_t kaslr_offset, const std::string& one_name = "symbol_0",
                       const std::string& member = "first") {
  KernelOptions options;
  options.kaslr_offset = kaslr_offset;
  KernelBuilder builder(options);
  builder.types().Struct("thing", {{"u64", member}, {"u32", "second"}});
  builder.Data(one_name, 8);
  for (int i = 1; i < kSymbols; ++i) builder.Data("symbol_" + std::to_string(i), 8);
  return builder.Finish();
}

class ImageStoreTest : public testing::Test {
 protected:
  std::unique_ptr<GuestKernel> Open(SyntheticGuest& guest, const ImageStore* store) {
    GuestKernelOptions options;
    options.images = store;
    auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus, options);
    if (!kernel) ADD_FAILURE() << kernel.error().ToString();
    return kernel ? *std::move(kernel) : nullptr;
  }
  // What a machine tells with the store is what it tells without.
  void ExpectSame(SyntheticGuest& guest, bool from_image) {
    const auto kernel = Open(guest, &store_), alone = Open(guest, nullptr);
    ASSERT_TRUE(kernel && alone);
    EXPECT_EQ(kernel->is_from_image(), from_image);
    ASSERT_EQ(kernel->symbols().size(), alone->symbols().size());
    for (size_t i = 0; i < alone->symbols().size(); ++i) {
      const Symbol ours = kernel->symbols().at(i), theirs = alone->symbols().at(i);
      ASSERT_EQ(ours.name, theirs.name);
      ASSERT_EQ(ours.address, theirs.address) << ours.name;
      ASSERT_EQ(ours.type, theirs.type);
      ASSERT_EQ(kernel->symbols().FindAt(theirs.address)->name,
                alone->symbols().FindAt(theirs.address)->name);
      ASSERT_EQ(kernel->symbols().FindAll(theirs.name).size(),
                alone->symbols().FindAll(theirs.name).size());
    }
    const auto types = kernel->types(), of_alone = alone->types();
    ASSERT_TRUE(types && of_alone);
    EXPECT_EQ((*types)->type_count(), (*of_alone)->type_count());
    EXPECT_THAT((*types)->TypeNames(),
                testing::UnorderedElementsAreArray((*of_alone)->TypeNames()));
    EXPECT_EQ((*types)->FindMember("thing", "second")->offset, 8u);
    EXPECT_EQ((*types)->FindMember("thing", "first").has_value(),
              (*of_alone)->FindMember("thing", "first").has_value());
  }
  void Keep(SyntheticGuest& guest) {
    const auto kernel = Open(guest, &store_);
    ASSERT_NE(kernel, nullptr);
    kernel->KeepImage();
  }
  std::vector<std::filesystem::path> Files() const {
    std::error_code none;
    const std::filesystem::directory_iterator files(path_, none);
    return none ? std::vector<std::filesystem::path>()
                : std::vector<std::filesystem::path>(begin(files), end(files));
  }

  synthetic::TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_ / "cache" / "images";
  ImageStore store_{path_};
  SyntheticGuest first_ = Machine(0x1d400000), second_ = Machine(0x4000000);
};

TEST_F(ImageStoreTest, AMachineOfTheSameBuildElsewhereUsesWhatTheFirstOneLeft) {
  ExpectSame(first_, false);
  EXPECT_TRUE(Files().empty());
  Keep(first_);
  ASSERT_EQ(Files().size(), 1u);
  EXPECT_EQ(std::filesystem::status(Files()[0]).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms::owner_all);
  ExpectSame(first_, true);
  ExpectSame(second_, true);
  // Nothing is left to keep.
  Keep(second_);
  EXPECT_EQ(Files().size(), 1u);
}

TEST_F(ImageStoreTest, AMachineThatOnlyClaimsTheBuildHasItsOwn) {
  Keep(first_);
  SyntheticGuest renamed = Machine(0x1d400000, "other_0");
  SyntheticGuest retyped = Machine(0x1d400000, "symbol_0", "firsT");
  ExpectSame(renamed, false);
  ExpectSame(retyped, false);
  Keep(renamed);
  EXPECT_EQ(Files().size(), 2u);
  ExpectSame(renamed, true);
  ExpectSame(retyped, false);
  ExpectSame(second_, true);
  const auto kernel = Open(renamed, &store_);
  EXPECT_TRUE(kernel->symbol_kva("other_0"));
  EXPECT_FALSE(kernel->symbol_kva("symbol_0"));
}

// One that makes itself another kernel as soon as it goes on.
TEST_F(ImageStoreTest, AMachineThatChangesMeanwhileGivesOthersNoSymbols) {
  SyntheticGuest changing = Machine(0x1d400000, "other_0");
  const auto kernel = Open(changing, &store_);
  ASSERT_NE(kernel, nullptr);
  const auto seal = kernel->SealImage();
  ASSERT_TRUE(seal);
  for (const MemoryRegion& region : first_.memory->regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const PageView page = first_.memory->View(pfn);
      if (page.readable()) changing.memory->PutBytes(pfn.pa(), page.bytes());
    }
  }
  kernel->KeepImage(*seal);
  ExpectSame(first_, false);
  SyntheticGuest unchanged = Machine(0x1d400000, "other_0");
  ExpectSame(unchanged, true);
}

TEST_F(ImageStoreTest, AMachineWithoutBuildIdOrWithFewSymbolsIsNotKept) {
  SyntheticGuest few = KernelBuilder().Finish();
  Keep(few);
  EXPECT_TRUE(Files().empty());
}

TEST_F(ImageStoreTest, ADamagedFileGivesNothingWrong) {
  Keep(first_);
  const auto file = Files().at(0);
  std::string whole;
  {
    std::ifstream in(file, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  const auto put = [&](const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  };
  int used = 0;
  constexpr size_t kFlips = 60;
  for (size_t i = 0; i < kFlips; ++i) {
    std::string damaged = whole;
    damaged[i * (whole.size() - 1) / (kFlips - 1)] ^= 0x10;
    put(damaged);
    const auto kernel = Open(second_, &store_), alone = Open(second_, nullptr);
    used += kernel->is_from_image();
    ASSERT_EQ(kernel->symbols().size(), alone->symbols().size());
    for (size_t s = 0; s < alone->symbols().size(); s += 7) {
      ASSERT_EQ(kernel->symbols().at(s).name, alone->symbols().at(s).name);
      ASSERT_EQ(kernel->symbols().at(s).address, alone->symbols().at(s).address);
    }
    ASSERT_TRUE(kernel->types());
    EXPECT_EQ((*kernel->types())->FindMember("thing", "second")->offset, 8u);
  }
  // Flips in the types, or between the parts.
  EXPECT_LT(used, int(kFlips));
  for (const size_t size : {size_t{0}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    put(whole.substr(0, size));
    ExpectSame(second_, false);
  }
  put(whole);
  ExpectSame(second_, true);
}

TEST_F(ImageStoreTest, AFileThatOthersCanWriteIsNotUsed) {
  Keep(first_);
  std::filesystem::permissions(Files().at(0), std::filesystem::perms::group_write,
                               std::filesystem::perm_options::add);
  ExpectSame(second_, false);
}

TEST_F(ImageStoreTest, WhatWasNotUsedLongestGoesWhenThereIsTooMuch) {
  Keep(first_);
  const uint64_t size = std::filesystem::file_size(Files().at(0));
  const auto old = Files().at(0);
  std::filesystem::last_write_time(old,
                                   std::filesystem::last_write_time(old) - std::chrono::hours(100));
  // Their lists of stored images, and one that was begun when its image had gone.
  const std::vector<std::filesystem::path> lists = {StoredImages::PathFor(old),
                                                    StoredImages::PathFor(path_ / "gone.image")};
  for (const auto& list : lists) {
    StoredImages(list).Add({});
    EXPECT_TRUE(std::filesystem::exists(list));
  }
  const ImageStore small(path_, size + size / 2);
  SyntheticGuest renamed = Machine(0x1d400000, "other_0");
  const auto kernel = Open(renamed, &small);
  kernel->KeepImage();
  ASSERT_EQ(Files().size(), 1u);
  EXPECT_NE(Files()[0], old);
}

}  // namespace
}  // namespace ktstr

#include "libcore/kernel/object_reader.h"

#include <gtest/gtest.h>

#include "fixtures/synthetic/kernel_builder.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;

TEST(ObjectReaderTest, IntegersHaveTheirWidthAndSign) {
  KernelBuilder builder;
  builder.types().Struct("thing", {{"u8", "small"},
                                   {"int", "negative"},
                                   {"u32:3", "low"},
                                   {"u32:5", "high"},
                                   {"int:4", "signed_bits"},
                                   {"u64", "wide"},
                                   {"char[8]", "name"}});
  const Kva thing = builder.Allocate(64);
  builder.Set("thing", thing, "small", 200);
  builder.Set("thing", thing, "negative", static_cast<uint32_t>(-5));
  builder.Set("thing", thing, "low", 5);
  builder.Set("thing", thing, "high", 21);
  builder.Set("thing", thing, "signed_bits", 0xe);
  builder.Set("thing", thing, "wide", 0xfedcba9876543210);
  builder.SetText("thing", thing, "name", "abc");
  auto guest = builder.Finish();
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  const TypeInfo& types = **(*kernel)->types();
  ObjectReader reader(**kernel, thing);
  const auto member = [&](const char* name) { return types.FindMember("thing", name).value(); };
  EXPECT_EQ(reader.Integer(member("small")), 200);
  EXPECT_EQ(reader.Integer(member("negative")), -5);
  EXPECT_EQ(reader.Integer(member("low")), 5);
  EXPECT_EQ(reader.Integer(member("high")), 21);
  EXPECT_EQ(reader.Integer(member("signed_bits")), -2);
  EXPECT_EQ(reader.Unsigned(member("wide")), 0xfedcba9876543210u);
  EXPECT_EQ(reader.Text(member("name")), "abc");
  EXPECT_EQ(reader.Integer(Member{.size = 16}).error().code(), ErrorCode::kUnsupported);
  // The guest's own types say how large a text is: nothing is read, nor room made for it.
  EXPECT_EQ(reader.Text(Member{.size = 1 << 30}).error().code(), ErrorCode::kUnsupported);
}

TEST(ObjectReaderTest, AnObjectOverManyPagesIsReadWholeAndAMissingPageCostsOnlyItsOwnMembers) {
  KernelBuilder builder;
  constexpr uint64_t kPages = 6;
  const Kva object = builder.AllocateVmalloc(kPages * kPageSize);
  for (uint64_t i = 0; i < kPages; ++i) builder.Put<uint64_t>(object + i * kPageSize, i + 1);
  const Pa missing = builder.PaOf(object + 2 * kPageSize);
  auto guest = builder.Finish();
  guest.memory->LeaveOut(Pfn::Of(missing), LeftOutReason::kFree);
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  ObjectReader reader(**kernel, object);
  for (int round = 0; round < 2; ++round) {
    for (uint64_t i = 0; i < kPages; ++i) {
      const auto value = reader.ReadAt<uint64_t>(i * kPageSize);
      if (i == 2) {
        EXPECT_EQ(value.error().code(), ErrorCode::kUnreadable);
      } else {
        EXPECT_EQ(value, i + 1);
      }
    }
  }
}

}  // namespace
}  // namespace ktstr

#include "libcore/walk/system/hash_buckets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures/synthetic/kernel_builder.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;

// An object with four buckets behind its first 16 bytes, of which two are not empty.
class HashBucketsTest : public ::testing::Test {
 protected:
  HashBucketsTest() {
    object_ = builder_.Allocate(64);
    builder_.Put(object_ + 24, Kva(0x1000));
    builder_.Put(object_ + 40, Kva(0x2000));
    guest_ = builder_.Finish();
    kernel_ = GuestKernel::Open(*guest_.memory, guest_.vcpus).value();
  }

  synthetic::KernelBuilder builder_;
  Kva object_;
  synthetic::SyntheticGuest guest_;
  std::unique_ptr<GuestKernel> kernel_;
};

TEST_F(HashBucketsTest, EmptyBucketsAreLeftOut) {
  const auto firsts = ReadBuckets(*kernel_, object_, {.offset = 16, .size = 32});
  ASSERT_TRUE(firsts) << firsts.error().ToString();
  EXPECT_THAT(*firsts, ElementsAre(Kva(0x1000), Kva(0x2000)));
}

TEST_F(HashBucketsTest, ASizeThatCannotBeIsDamageAndNothingIsRead) {
  const auto firsts = ReadBuckets(*kernel_, object_, {.offset = 16, .size = uint64_t{1} << 40});
  ASSERT_FALSE(firsts);
  EXPECT_EQ(firsts.error().code(), ErrorCode::kDamaged);
}

}  // namespace
}  // namespace ktstr

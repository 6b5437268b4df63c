// Which addresses are read and written, and what is said of the others.
#include "libcore/ops/address_check.h"
#include "ops_guest.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The kernel's half as a processor with four-level paging has it: Kva's bound must let more pass.
static_assert(kKernelHalf < Kva(0xffff800000000000));

class AddressTest : public ::testing::TestWithParam<int> {
 protected:
  AddressTest() : builder_(GetParam() == 5 ? FiveLevels() : KernelOptions()) {
    builder_.Data("variable", 2 * kPageSize);
    heap_ = builder_.Allocate(4 * kPageSize, kPageSize);
    vmalloc_ = builder_.AllocateVmalloc(4 * kPageSize);
  }
  OpsGuest& Guest() {
    if (!guest_) guest_ = std::make_unique<OpsGuest>(builder_);
    return *guest_;
  }
  Kva ram_end() const { return builder_.options().page_offset + builder_.options().memory_bytes; }

  KernelBuilder builder_;
  Kva heap_, vmalloc_;
  std::unique_ptr<OpsGuest> guest_;
};

INSTANTIATE_TEST_SUITE_P(Levels, AddressTest, ::testing::Values(4, 5),
                         [](const auto& levels) { return std::to_string(levels.param) + "Level"; });

TEST_P(AddressTest, DirectMustLieInTheDirectMap) {
  const Kva begin = builder_.options().page_offset, end = ram_end();
  struct Case {
    Kva kva;
    uint32_t size;
    const char* error;  // nullptr where there is none
  };
  for (const auto& [kva, size, error] : {Case{begin, 4, nullptr},
                                         {end - 4, 4, nullptr},
                                         {end, 0, nullptr},
                                         {begin - 1, 4, "below-direct-map/address"},
                                         {Kva(0), 4, "below-direct-map/address"},
                                         {end - 3, 4, "beyond-direct-map/address"},
                                         {end, 1, "beyond-direct-map/address"},
                                         {Kva(~uint64_t{0} - 3), 4, "address-overflow/address"},
                                         {Kva(~uint64_t{0} - 4), 4, "beyond-direct-map/address"}}) {
    const std::vector<OpEntry> read = {{DirectTarget{kva}, BytesWidth{size}}};
    const std::vector<OpEntry> write = {
        {DirectTarget{kva}, BytesValue{std::vector<std::byte>(size)}}};
    if (error == nullptr) {
      EXPECT_TRUE(Guest().Read(read).success) << std::hex << kva.value();
      EXPECT_TRUE(Guest().Write(write).success) << std::hex << kva.value();
    } else {
      EXPECT_EQ(Class(Guest().ReadFailure(read)), error) << std::hex << kva.value();
      EXPECT_EQ(Class(Guest().WriteFailure(write)), error) << std::hex << kva.value();
    }
  }
}

TEST_P(AddressTest, EveryKindOfValueOfDirectIsChecked) {
  const Kva below = builder_.options().page_offset - 8;
  for (const OpValue& value : std::vector<OpValue>{U32Value{}, U64Value{}, Bytes({1})}) {
    EXPECT_EQ(Class(Guest().ReadFailure({{DirectTarget{below}, value}})),
              "below-direct-map/address");
  }
  for (const OpValue& value :
       std::vector<OpValue>{U32Value{}, U64Value{}, Bytes({1}), OrU32Value{1}}) {
    EXPECT_EQ(Class(Guest().WriteFailure({{DirectTarget{below}, value}})),
              "below-direct-map/address");
  }
}

TEST_P(AddressTest, DirectArithmeticThatOverflowsIsAnError) {
  EXPECT_EQ(CheckDirect(Kva(~uint64_t{0} - 10), 1, Kva(~uint64_t{0} - 100), 200).error().code,
            OpErrorCode::kAddressOverflow);
}

TEST_P(AddressTest, KvaMustLieInTheKernelsHalf) {
  for (const Kva kva : {Kva(0), Kva(0x7fffffffffff), kKernelHalf - 1}) {
    for (const OpValue& value : std::vector<OpValue>{U32Value{}, U64Value{}, Bytes({1})}) {
      const OpFailure failure = Guest().ReadFailure({{KvaTarget{kva}, value}});
      EXPECT_EQ(Class(failure), "below-kernel-half/address");
      EXPECT_THAT(failure.error.text, HasSubstr("0xff00000000000000"));
      EXPECT_EQ(Class(Guest().WriteFailure({{KvaTarget{kva}, value}})),
                "below-kernel-half/address");
    }
    EXPECT_EQ(Class(Guest().WriteFailure({{KvaTarget{kva}, OrU32Value{1}}})),
              "below-kernel-half/address");
  }
  EXPECT_TRUE(CheckKva(kKernelHalf, 4));
  EXPECT_EQ(Class(Guest().ReadFailure({{KvaTarget{Kva(~uint64_t{0} - 3)}, U64Value{}}})),
            "address-overflow/address");
}

TEST_P(AddressTest, KvaTakesAnyMappedAddress) {
  const Kva variable = builder_.SymbolAddress("variable");
  for (const Kva kva : {variable, heap_, vmalloc_}) {
    ASSERT_TRUE(Guest().Write({{KvaTarget{kva}, U64Value{0x0123456789abcdef}}}).success);
    EXPECT_THAT(Guest().Read({{KvaTarget{kva + 4}, U32Value{}}}).read_values,
                ElementsAre(OpValue(U32Value{0x01234567})));
  }
}

TEST_P(AddressTest, WhatIsNotMappedIsAnError) {
  const Kva guard_page = vmalloc_ + 4 * kPageSize;
  for (const Kva kva : {guard_page, kKernelHalf, Kva(0xffffffffffffe000)}) {
    EXPECT_EQ(Class(Guest().ReadFailure({{KvaTarget{kva}, U32Value{}}})), "unmapped/memory")
        << std::hex << kva.value();
    EXPECT_EQ(Class(Guest().WriteFailure({{KvaTarget{kva}, U32Value{}}})), "unmapped/memory");
    EXPECT_EQ(Class(Guest().WriteFailure({{KvaTarget{kva}, OrU32Value{1}}})), "unmapped/memory");
  }
}

TEST_P(AddressTest, ValuesAndRangesAcrossPagesAreTranslatedPageByPage) {
  // Neighbours in vmalloc are no neighbours in memory, and neither value is aligned.
  const Kva u32 = vmalloc_ + kPageSize - 2, u64 = vmalloc_ + 2 * kPageSize - 3;
  ASSERT_TRUE(Guest()
                  .Write({{KvaTarget{u32}, U32Value{0xaabbccdd}},
                          {KvaTarget{u64}, U64Value{0x1122334455667788}}})
                  .success);
  EXPECT_THAT(Guest()
                  .Read({{KvaTarget{u32}, U32Value{}},
                         {KvaTarget{u64}, U64Value{}},
                         {KvaTarget{vmalloc_ + kPageSize}, BytesWidth{2}}})
                  .read_values,
              ElementsAre(OpValue(U32Value{0xaabbccdd}), OpValue(U64Value{0x1122334455667788}),
                          OpValue(Bytes({0xbb, 0xaa}))));
  BytesValue range;
  for (uint64_t i = 0; i < 3 * kPageSize; ++i) range.bytes.push_back(std::byte(i * 7));
  ASSERT_TRUE(Guest().Write({{KvaTarget{vmalloc_ + 5}, range}}).success);
  EXPECT_THAT(Guest().Read({{KvaTarget{vmalloc_ + 5}, BytesWidth{3 * kPageSize}}}).read_values,
              ElementsAre(OpValue(range)));
}

TEST_P(AddressTest, AWriteThatReachesAnUnmappedPageWritesNothing) {
  const Kva last = vmalloc_ + 4 * kPageSize - 2;
  ASSERT_TRUE(Guest().Write({{KvaTarget{last}, Bytes({1, 2})}}).success);
  EXPECT_EQ(Class(Guest().WriteFailure({{KvaTarget{last}, U32Value{0xffffffff}}})),
            "unmapped/memory");
  EXPECT_THAT(Guest().Read({{KvaTarget{last}, BytesWidth{2}}}).read_values,
              ElementsAre(OpValue(Bytes({1, 2}))));
}

TEST_P(AddressTest, UnreadableMemoryIsAnErrorWithItsReasonNeverZero) {
  const Pa pa = builder_.PaOf(heap_);
  OpsGuest& guest = Guest();
  guest.memory().LeaveOut(Pfn::Of(pa), LeftOutReason::kUserData);
  guest.memory().Damage(Pfn::Of(pa) + 1);
  struct Case {
    Kva kva;
    const char* reason;
  };
  for (const auto& [kva, reason] : {Case{heap_, "user data"},
                                    {heap_ + kPageSize - 2, "user data"},
                                    {heap_ + kPageSize, "damaged"}}) {
    for (const OpTarget& target : {OpTarget(DirectTarget{kva}), OpTarget(KvaTarget{kva})}) {
      const OpFailure read = guest.ReadFailure({{target, U64Value{}}});
      EXPECT_EQ(Class(read), "unreadable/memory");
      EXPECT_THAT(read.error.text, HasSubstr(reason));
      EXPECT_EQ(Class(guest.WriteFailure({{target, U64Value{}}})), "unreadable/memory");
      EXPECT_EQ(Class(guest.WriteFailure({{target, OrU32Value{1}}})), "unreadable/memory");
    }
  }
}

TEST_P(AddressTest, AChangedPageTableIsFollowedByTheNextEntry) {
  OpsGuest& guest = Guest();
  ASSERT_TRUE(guest.Write({{KvaTarget{vmalloc_}, U32Value{1}}}).success);
  const Kva entry =
      builder_.options().page_offset + builder_.tables().EntryAddress(vmalloc_, 1).value();
  const uint64_t leaf = guest.kernel().Read<uint64_t>(entry).value();
  const Pa heap(heap_ - builder_.options().page_offset);
  EXPECT_TRUE(guest
                  .Write({{DirectTarget{heap_}, U32Value{77}},
                          {DirectTarget{entry}, U64Value{heap.value() | (leaf & 0xfff)}}})
                  .success);
  EXPECT_THAT(guest.Read({{KvaTarget{vmalloc_}, U32Value{}}}).read_values,
              ElementsAre(OpValue(U32Value{77})));
}

TEST_P(AddressTest, ASymbolIsFoundByNameOrRefused) {
  const Kva variable = builder_.SymbolAddress("variable");
  OpsGuest& guest = Guest();
  ASSERT_TRUE(guest.Write({{SymbolTarget{"variable"}, U64Value{5}}}).success);
  EXPECT_THAT(guest.Read({{KvaTarget{variable}, U64Value{}}}).read_values,
              ElementsAre(OpValue(U64Value{5})));
  for (const OpValue& value : std::vector<OpValue>{U32Value{}, U64Value{}, BytesWidth{3}}) {
    const OpFailure failure = guest.ReadFailure({{SymbolTarget{"absent"}, value}});
    EXPECT_EQ(Class(failure), "symbol-unknown/name");
    EXPECT_THAT(failure.error.text, HasSubstr("'absent'"));
  }
  for (const OpValue& value :
       std::vector<OpValue>{U32Value{}, U64Value{}, Bytes({1}), OrU32Value{1}}) {
    EXPECT_EQ(Class(guest.WriteFailure({{SymbolTarget{"absent"}, value}})), "symbol-unknown/name");
  }
}

TEST(SymbolTargetTest, AZeroBasedPerCpuSymbolIsNoAddress) {
  KernelBuilder builder;
  builder.PerCpuVariable("some_percpu", 8);
  OpsGuest guest(builder);
  const OpFailure failure = guest.ReadFailure({{SymbolTarget{"some_percpu"}, U32Value{}}});
  EXPECT_EQ(Class(failure), "symbol-not-an-address/name");
  EXPECT_THAT(failure.error.text, HasSubstr("PerCpuField"));
}

}  // namespace
}  // namespace ktstr

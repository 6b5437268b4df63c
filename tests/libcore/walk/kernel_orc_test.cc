// The kernel's own ORC table, of which only what an address needs is read.
#include "libcore/walk/stack/kernel_orc.h"

#include <algorithm>
#include <random>

#include "fixtures/synthetic/orc_builder.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using synthetic::OrcBuilder;
using synthetic::OrcStyle;

constexpr uint64_t kBlock = 256;  // LOOKUP_BLOCK_SIZE

// A kernel of 3,000 pieces of text, whose table takes some pages.
class KernelOrcTest : public ::testing::Test {
 protected:
  KernelOrcTest() : orc_(guest_.builder().types(), OrcStyle::kWithHeader) {
    text_ = guest_.builder().SymbolAddress("_stext");
    std::mt19937 random(1);
    for (int16_t i = 0; i < 3000; ++i) {
      // Several begin at one address now and then, and some are longer than a block.
      const bool is_long = random() % 50 == 0;
      if (i > 0)
        end_ = end_ + (random() % 20 == 0 ? 0 : random() % (is_long ? 2000 : 60));
      else
        end_ = text_ + 16;
      begins_.push_back(end_);
      orc_.Add(end_, {.sp_offset = i, .sp_reg = OrcRegister::kSp, .type = OrcType::kCall});
    }
    end_ = end_ + 100;
    auto& kernel = guest_.builder();
    null_entry_ = orc_.NullEntry();
    const uint64_t size = begins_.size() * sizeof(int32_t);
    ips_ = kernel.Data("__start_orc_unwind_ip", size);
    kernel.Symbol("__stop_orc_unwind_ip", ips_ + size);
    kernel.PutBytes(ips_, orc_.Ips(ips_));
    const std::vector<std::byte> bytes = orc_.Entries();
    entries_ = kernel.Data("__start_orc_unwind", bytes.size());
    kernel.Symbol("__stop_orc_unwind", entries_ + bytes.size());
    kernel.PutBytes(entries_, bytes);
  }

  // As unwind_init() fills it.
  std::vector<uint32_t> RightLookup() const {
    std::vector<uint32_t> lookup;
    for (Kva block = text_; block < end_ + 2 * kBlock; block = block + kBlock) {
      const auto after = std::upper_bound(begins_.begin(), begins_.end(), block);
      lookup.push_back(
          after == begins_.begin() ? 0 : static_cast<uint32_t>(after - begins_.begin()) - 1);
    }
    return lookup;
  }
  void PutLookup(const std::vector<uint32_t>& lookup) {
    auto& kernel = guest_.builder();
    const uint64_t size = lookup.size() * sizeof(uint32_t);
    const Kva at = kernel.Data("orc_lookup", size);
    kernel.Symbol("orc_lookup_end", at + size);
    kernel.PutBytes(at, std::as_bytes(std::span(lookup)));
  }
  KernelOrc Open() {
    const GuestKernel& kernel = guest_.Open();
    auto format = OrcFormat::From(*kernel.types().value()).value();
    EXPECT_TRUE(format.LearnNumbering(null_entry_));
    return KernelOrc::Open(kernel, format).value();
  }
  // Every address gives what the whole table gives.
  void ExpectAll() {
    const KernelOrc orc = Open();
    const OrcTable whole = orc.ReadWhole().value();
    ASSERT_EQ(whole.size(), begins_.size());
    for (Kva ip = text_; ip < end_; ip = ip + 1) {
      const auto found = orc.Find(ip);
      ASSERT_TRUE(found) << found.error().ToString();
      ASSERT_EQ(*found, whole.Find(ip)) << ip.value() - text_.value();
    }
    EXPECT_EQ(orc.Find(text_ - 4096).value(), std::nullopt);
    EXPECT_EQ(orc.Find(end_ + 100 * kBlock).value(), whole.Find(end_ + 100 * kBlock));
  }

  WalkGuest guest_;
  OrcBuilder orc_;
  std::vector<Kva> begins_;
  std::vector<std::byte> null_entry_;
  Kva text_, end_, ips_, entries_;
};

TEST_F(KernelOrcTest, FindsWhatTheWholeTableSaysByTheKernelsLookup) {
  PutLookup(RightLookup());
  ExpectAll();
}

TEST_F(KernelOrcTest, FindsTheSameInAKernelWithoutALookup) { ExpectAll(); }

TEST_F(KernelOrcTest, FindsTheSameBeforeTheLookupIsFilled) {
  PutLookup(std::vector<uint32_t>(RightLookup().size()));
  ExpectAll();
}

TEST_F(KernelOrcTest, FindsTheSameHoweverWrongTheLookupIs) {
  std::vector<uint32_t> lookup(RightLookup().size());
  std::mt19937 random(2);
  for (uint32_t& number : lookup) number = random() % 4 == 0 ? random() : random() % 3000;
  PutLookup(lookup);
  ExpectAll();
}

TEST_F(KernelOrcTest, OfATableThatIsNotInOrderAnEntryAroundTheAddressOrNone) {
  for (size_t i = 0; i + 7 < begins_.size(); i += 7) {
    const std::vector<std::byte> ips = orc_.Ips(ips_ + 28);
    guest_.builder().PutBytes(ips_ + i * 4, std::span(ips).subspan((i + 3) % 2000 * 4, 4));
  }
  const KernelOrc orc = Open();
  EXPECT_FALSE(orc.ReadWhole());
  for (Kva ip = text_; ip < end_; ip = ip + 5) EXPECT_TRUE(orc.Find(ip));
}

TEST_F(KernelOrcTest, NeedsOnlyThePagesThatAnAddressNeeds) {
  PutLookup(RightLookup());
  const Kva lost_entries = entries_ + 2 * kPageSize, lost_ips = ips_ + kPageSize;
  guest_.LeaveOut(lost_entries);
  guest_.LeaveOut(lost_ips);
  const KernelOrc orc = Open();
  EXPECT_FALSE(orc.ReadWhole());
  size_t found = 0, lost = 0;
  for (const Kva ip : begins_) {
    const auto entry = orc.Find(ip);
    ++(entry ? found : lost);
  }
  // A page has 682 entries, or where 1,024 begin.
  EXPECT_GT(found, 1000u);
  EXPECT_GT(lost, 682u);
  EXPECT_TRUE(orc.Find(begins_[10]));
}

}  // namespace
}  // namespace ktstr

#include "libcore/image/kallsyms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures/synthetic/kernel_builder.h"
#include "libcore/image/kallsyms_search.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using synthetic::KernelOptions;
using synthetic::SymbolSpec;
using synthetic::SyntheticGuest;

Result<Kallsyms> Decode(SyntheticGuest& guest) {
  const Vmcoreinfo note = KTSTR_TRY(Vmcoreinfo::ReadAt(*guest.memory, guest.vmcoreinfo));
  const AddressSpace space(*guest.memory, guest.root, PagingMode::kFourLevel);
  const KallsymsTables tables = KTSTR_TRY(KallsymsTables::From(note));
  const KnownSymbol known[] = {{"_stext", *note.Symbol("_stext")}};
  return Kallsyms::Read(space, tables, known);
}

class KallsymsTest : public ::testing::TestWithParam<KallsymsEncoding> {};

INSTANTIATE_TEST_SUITE_P(Encodings, KallsymsTest,
                         ::testing::Values(KallsymsEncoding::kAbsolute,
                                           KallsymsEncoding::kBaseRelative,
                                           KallsymsEncoding::kAbsolutePercpu,
                                           KallsymsEncoding::kPlaceRelative),
                         [](const auto& info) {
                           std::string name(KallsymsEncodingName(info.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(KallsymsTest, EverySymbolHasItsNameTypeAndRunTimeAddress) {
  // Zero-based per-CPU symbols exist only where an encoding can express them.
  const bool zero_based =
      GetParam() == KallsymsEncoding::kAbsolute || GetParam() == KallsymsEncoding::kAbsolutePercpu;
  KernelBuilder builder({.encoding = GetParam(), .zero_based_per_cpu = zero_based});
  builder.PerCpuVariable("runqueues", 64);
  builder.Data("sched_init_task_exit_per_cpu", 8);  // of several compressed tokens
  builder.Data(std::string(300, 'x'), 8);           // with a two-byte length
  SyntheticGuest guest = builder.Finish();

  const auto kallsyms = Decode(guest);
  ASSERT_TRUE(kallsyms) << kallsyms.error().ToString();
  EXPECT_EQ(kallsyms->encoding, GetParam());
  ASSERT_EQ(kallsyms->symbols.size(), guest.symbols.size());
  for (size_t i = 0; i < guest.symbols.size(); ++i) {
    const Symbol symbol = kallsyms->symbols.at(i);
    EXPECT_EQ(symbol.name, guest.symbols[i].name);
    EXPECT_EQ(symbol.address, guest.symbols[i].address) << symbol.name;
    EXPECT_EQ(symbol.type, guest.symbols[i].type);
  }
}

TEST(KallsymsDamageTest, AKernelThatDoesNotSayWhereItsSymbolsAreIsUnsupported) {
  const auto note = Vmcoreinfo::Parse(
      "OSRELEASE=5.15.0\nSYMBOL(swapper_pg_dir)=ffffffff82a10000\nNUMBER(phys_base)=0\n", Pa(0));
  ASSERT_TRUE(note);
  const auto tables = KallsymsTables::From(*note);
  ASSERT_FALSE(tables);
  EXPECT_EQ(tables.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(tables.error().message(), ::testing::HasSubstr("vmlinux"));
}

// Where the note says a table is.
Kva TableAt(const SyntheticGuest& guest, const char* name) {
  return *Vmcoreinfo::ReadAt(*guest.memory, guest.vmcoreinfo)->Symbol(name);
}

Pa ImagePa(const KernelOptions& options, Kva kva) {
  return options.text_pa + (kva.value() - 0xffffffff81000000 - options.kaslr_offset);
}

TEST(KallsymsDamageTest, ACountThatCannotBeIsDamage) {
  KernelOptions options;
  SyntheticGuest guest = KernelBuilder(options).Finish();
  guest.memory->Put<uint32_t>(ImagePa(options, TableAt(guest, "kallsyms_num_syms")), 0x7fffffff);
  EXPECT_EQ(Decode(guest).error().code(), ErrorCode::kDamaged);
}

TEST(KallsymsDamageTest, AWrongRelativeBaseIsNoticedByTheKnownSymbol) {
  KernelOptions options;
  SyntheticGuest guest = KernelBuilder(options).Finish();
  guest.memory->Put<uint64_t>(ImagePa(options, TableAt(guest, "kallsyms_relative_base")),
                              0xffffffff80000000);
  EXPECT_EQ(Decode(guest).error().code(), ErrorCode::kDamaged);
}

TEST(KallsymsDamageTest, NamesOfZeroBytesAreDamage) {
  KernelOptions options;
  SyntheticGuest guest = KernelBuilder(options).Finish();
  guest.memory->Put<uint64_t>(ImagePa(options, TableAt(guest, "kallsyms_names")), 0);
  EXPECT_EQ(Decode(guest).error().code(), ErrorCode::kDamaged);
}

TEST(KallsymsDamageTest, ATableInAPageThatWasLeftOutIsUnreadable) {
  KernelOptions options;
  SyntheticGuest guest = KernelBuilder(options).Finish();
  guest.memory->LeaveOut(Pfn::Of(ImagePa(options, TableAt(guest, "kallsyms_names"))),
                         LeftOutReason::kFree);
  EXPECT_EQ(Decode(guest).error().code(), ErrorCode::kUnreadable);
}

// Two bytes of a name that stand for 10 KB: of a table with many such names nothing is made.
TEST(KallsymsDamageTest, ANameThatExpandsBeyondAnyIsDamage) {
  KernelOptions options;
  SyntheticGuest guest = KernelBuilder(options).Finish();
  constexpr uint16_t kFar = 30'000;  // from the table of tokens, where nothing else is
  const std::string token(5'000, 'x');
  guest.memory->PutBytes(ImagePa(options, TableAt(guest, "kallsyms_token_table") + kFar),
                         std::as_bytes(std::span(token)));
  for (uint64_t i = 0; i < 256; ++i) {
    guest.memory->Put<uint16_t>(
        ImagePa(options, TableAt(guest, "kallsyms_token_index") + i * sizeof kFar), kFar);
  }
  const auto decoded = Decode(guest);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code(), ErrorCode::kDamaged);
  EXPECT_THAT(decoded.error().message(), ::testing::HasSubstr("expands to a name that cannot be"));
}

// Every word before the table of tokens is a count of symbols that takes a million steps to refute:
// without an end to it the search would take days.
TEST(KallsymsSearchTest, MemoryFullOfCountsDoesNotHoldTheSearch) {
  constexpr Kva kImage{0xffffffff81000000};
  constexpr uint64_t kBytes = 16 << 20;
  synthetic::BufferMemory memory(2 * kBytes);
  synthetic::PageTables tables(memory, Pa(0x1000), 4);
  for (uint64_t at = 0; at < kBytes; at += 2 << 20) {
    tables.Map(kImage + at, Pa(kBytes + at), 2 << 20);
  }
  const auto good = synthetic::BuildKallsyms({{"_text", kImage.value(), 'T'}},
                                             KallsymsEncoding::kPlaceRelative, kImage);
  const uint64_t table = kBytes - kPageSize;
  // 0x200007 symbols; the first of the names, which begin with the next such word, has 7 bytes.
  for (uint64_t at = 0; at < table; at += 8) memory.Put<uint64_t>(Pa(kBytes + at), 0x200007);
  memory.PutBytes(Pa(kBytes + table), good.token_table);
  const uint64_t index = table + (good.token_table.size() + 7) / 8 * 8;
  memory.PutBytes(Pa(kBytes + index), good.token_index);
  const AddressSpace space(memory, tables.root(), PagingMode::kFourLevel);
  const auto found = FindKallsyms(space, kImage, kImage + kBytes);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace ktstr

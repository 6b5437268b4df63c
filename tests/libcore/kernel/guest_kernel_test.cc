#include "libcore/kernel/guest_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures/synthetic/kernel_builder.h"
#include "fixtures/synthetic/still_guest.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using synthetic::KernelOptions;
using synthetic::StillGuest;
using synthetic::SyntheticGuest;
using ::testing::HasSubstr;

std::unique_ptr<GuestKernel> OpenOrDie(SyntheticGuest& guest) {
  auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  if (!kernel) ADD_FAILURE() << kernel.error().ToString();
  return kernel ? *std::move(kernel) : nullptr;
}

KernelOptions FiveLevel() {
  KernelOptions options;
  options.levels = 5;
  options.page_offset = Kva(0xff1a1c0600000000);
  return options;
}

TEST(GuestKernelTest, IsBuiltFromMemoryAndRegistersAlone) {
  const KernelOptions options;
  KernelBuilder builder(options);
  const Kva variable = builder.Data("some_variable", 8);
  SyntheticGuest guest = builder.Finish();
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(kernel->release(), "6.12.0-synthetic");
  EXPECT_EQ(kernel->kaslr_offset(), options.kaslr_offset);
  EXPECT_EQ(kernel->page_offset(), options.page_offset);
  EXPECT_EQ(kernel->paging_levels(), 4);
  EXPECT_EQ(kernel->symbol_kva("some_variable"), variable);
  EXPECT_EQ(kernel->CommandLine(), options.command_line);
  EXPECT_EQ(kernel->CpuCount(), 2u);
  EXPECT_TRUE(kernel->Disagreements().empty());
}

TEST(GuestKernelTest, FiveLevelKernelsAreFoundToo) {
  SyntheticGuest guest = KernelBuilder(FiveLevel()).Finish();
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(kernel->paging_levels(), 5);
  EXPECT_EQ(kernel->page_offset(), FiveLevel().page_offset);
}

// A kernel that has not written its VMCOREINFO yet.
class NotelessKernelTest : public testing::TestWithParam<KallsymsEncoding> {};

TEST_P(NotelessKernelTest, ItsSymbolsAreSearched) {
  KernelOptions options = {.encoding = GetParam(), .with_vmcoreinfo = false};
  KernelBuilder builder(options);
  // More symbols than the markers' first step.
  for (int i = 0; i < 600; ++i) builder.Data("variable_" + std::to_string(i), 8);
  SyntheticGuest guest = builder.Finish();
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  EXPECT_FALSE(kernel->vmcoreinfo());
  EXPECT_EQ(kernel->release(), options.release);
  EXPECT_EQ(kernel->kaslr_offset(), options.kaslr_offset);
  EXPECT_EQ(kernel->page_offset(), options.page_offset);
  EXPECT_EQ(kernel->symbols().size(), guest.symbols.size());
  for (const auto& symbol : guest.symbols) {
    EXPECT_TRUE(kernel->symbols().Find(symbol.name)) << symbol.name;
  }
  EXPECT_EQ(kernel->CommandLine(), options.command_line);
}

INSTANTIATE_TEST_SUITE_P(Encodings, NotelessKernelTest,
                         testing::Values(KallsymsEncoding::kAbsolute,
                                         KallsymsEncoding::kBaseRelative,
                                         KallsymsEncoding::kAbsolutePercpu,
                                         KallsymsEncoding::kPlaceRelative));

TEST(GuestKernelTest, WithoutNoteAndSymbolsItSaysWhatToDo) {
  KernelBuilder builder({.with_vmcoreinfo = false});
  SyntheticGuest guest = builder.Finish();
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  // The digits' tokens are what leads to the tables.
  const std::string_view digits("0\0001\0002\0003", 7);
  for (const MemoryRegion& region : guest.memory->regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      char* page = reinterpret_cast<char*>(*guest.memory->Writable(pfn));
      const size_t at = std::string_view(page, kPageSize).find(digits);
      if (at != std::string_view::npos) page[at] = 'x';
    }
  }
  const auto error = GuestKernel::Open(*guest.memory, guest.vcpus).error();
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.ToString(), HasSubstr("give its vmlinux file"));
}

TEST(GuestKernelTest, ANoteOfAnEarlierKernelIsNotTakenForTheRunningOne) {
  SyntheticGuest guest = KernelBuilder().Finish();
  const std::string stale =
      "OSRELEASE=5.0.0-stale\nSYMBOL(swapper_pg_dir)=ffffffff82a10000\nSYMBOL(_stext)="
      "ffffffff81000000\n"
      "NUMBER(phys_base)=0\nKERNELOFFSET=0\n";
  guest.memory->PutBytes(Pa(0x8000), std::as_bytes(std::span(stale)));
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(kernel->release(), "6.12.0-synthetic");
}

TEST(GuestKernelTest, AHintThatIsWrongIsNotBelieved) {
  SyntheticGuest guest = KernelBuilder().Finish();
  const auto kernel =
      GuestKernel::Open(*guest.memory, guest.vcpus, {.vmcoreinfo_hints = {Pa(0x5000)}});
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  EXPECT_EQ((*kernel)->release(), "6.12.0-synthetic");
}

TEST(GuestKernelTest, NoKernelIsAnErrorThatSaysWhatWasLookedAt) {
  synthetic::BufferMemory memory(1 << 20);
  const std::vector<VcpuRegisters> vcpus(1);
  const auto kernel = GuestKernel::Open(memory, vcpus);
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(kernel.error().message(), HasSubstr("0 VMCOREINFO notes in memory, 1 vCPUs"));
}

TEST(GuestKernelTest, AVcpuInUserModeWithPageTableIsolationStillLeadsToTheKernel) {
  SyntheticGuest guest = KernelBuilder().Finish();
  // The user's tables of an isolated process: the kernel's root with bit 12 set, here an empty
  // page.
  for (VcpuRegisters& vcpu : guest.vcpus) {
    vcpu.cs.selector = 0x33;
    vcpu.cr3 = guest.root.value() | 0x1000;
  }
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(kernel->release(), "6.12.0-synthetic");
}

// Zero-based per-CPU symbols (before 6.15) and those that are kernel addresses lead to the same
// place.
class PerCpuTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Bases, PerCpuTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "ZeroBased" : "Based"; });

TEST_P(PerCpuTest, AVariableIsFoundOnEveryCpu) {
  KernelOptions options;
  options.zero_based_per_cpu = GetParam();
  options.encoding =
      GetParam() ? KallsymsEncoding::kAbsolutePercpu : KallsymsEncoding::kBaseRelative;
  KernelBuilder builder(options);
  builder.PerCpuVariable("counter", 8);
  for (uint32_t cpu = 0; cpu < 2; ++cpu)
    builder.Put<uint64_t>(builder.PerCpu("counter", cpu), 100 + cpu);
  SyntheticGuest guest = builder.Finish();
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  for (uint32_t cpu = 0; cpu < 2; ++cpu) {
    const auto at = kernel->PerCpu("counter", cpu);
    ASSERT_TRUE(at);
    EXPECT_EQ(kernel->Read<uint64_t>(*at), 100u + cpu);
  }
  EXPECT_EQ(kernel->PerCpu("counter", 2).error().code(), ErrorCode::kOutOfRange);
  EXPECT_EQ(kernel->PerCpu("counter", 5000).error().code(), ErrorCode::kOutOfRange);
}

TEST(GuestKernelTest, ReadsAndWritesEveryKindOfAddress) {
  KernelBuilder builder;
  const Kva data = builder.Data("variable", 8);
  const Kva direct = builder.Allocate(64);
  const Kva mapped = builder.AllocateVmalloc(3 * kPageSize);
  SyntheticGuest guest = builder.Finish();
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  // The last one crosses into a page that lies elsewhere in physical memory.
  for (const Kva kva : {data, direct, mapped, mapped + kPageSize - 3}) {
    ASSERT_TRUE(StillGuest::Exclusively([&](const Exclusive& exclusive) {
      return kernel->Write<uint64_t>(exclusive, kva, 0x1122334455667788);
    }));
    EXPECT_EQ(kernel->Read<uint64_t>(kva), 0x1122334455667788u);
    EXPECT_EQ(kernel->Read<uint32_t>(kva), 0x55667788u);
    EXPECT_EQ(kernel->Read<uint16_t>(kva), 0x7788u);
    EXPECT_EQ(kernel->Read<uint8_t>(kva), 0x88u);
  }
  EXPECT_EQ(kernel->ReadSymbol<uint64_t>("variable"), 0x1122334455667788u);
}

TEST(GuestKernelTest, BytesAcrossThreePagesAreReadInOrder) {
  KernelBuilder builder;
  const Kva mapped = builder.AllocateVmalloc(3 * kPageSize);
  std::vector<std::byte> written(2 * kPageSize + 100);
  for (size_t i = 0; i < written.size(); ++i) written[i] = static_cast<std::byte>(i * 7);
  builder.PutBytes(mapped + 50, written);
  SyntheticGuest guest = builder.Finish();
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  std::vector<std::byte> read(written.size());
  ASSERT_TRUE(kernel->Read(mapped + 50, read));
  EXPECT_EQ(read, written);
  EXPECT_EQ(kernel->Read<uint8_t>(mapped + 3 * kPageSize).error().code(), ErrorCode::kUnmapped);
}

TEST(GuestKernelTest, DirectMapAddressesOutsideItAreRefused) {
  SyntheticGuest guest = KernelBuilder().Finish();
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  const Kva base = kernel->page_offset();
  EXPECT_EQ(kernel->direct_kva_to_pa(base + 0x1234), Pa(0x1234));
  EXPECT_EQ(kernel->direct_kva_to_pa(base - 1).error().code(), ErrorCode::kOutOfRange);
  EXPECT_EQ(kernel->direct_kva_to_pa(base + guest.memory->end().value()).error().code(),
            ErrorCode::kOutOfRange);
}

TEST(GuestKernelTest, AStringEndsAtItsNulOrTheLimitAndMayCrossPages) {
  KernelBuilder builder;
  const Kva mapped = builder.AllocateVmalloc(2 * kPageSize);
  builder.PutText(mapped + kPageSize - 3, "abcdefgh");
  SyntheticGuest guest = builder.Finish();
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(kernel->ReadString(mapped + kPageSize - 3, 100), "abcdefgh");
  EXPECT_EQ(kernel->ReadString(mapped + kPageSize - 3, 4), "abcd");
}

TEST(GuestKernelTest, TypesComeFromTheKernelsOwnBtf) {
  KernelBuilder builder;
  builder.types().Struct("thing", {{"u32", "a"}, {"u64", "b"}});
  SyntheticGuest guest = builder.Finish();
  const auto kernel = OpenOrDie(guest);
  ASSERT_NE(kernel, nullptr);
  const auto types = kernel->types();
  ASSERT_TRUE(types) << types.error().ToString();
  EXPECT_EQ((*types)->FindMember("thing", "b")->offset, 8u);
}

}  // namespace
}  // namespace ktstr

// Proves: what /proc/kcore shows is this machine's memory, page for page; zeros that the kernel
// says in place of a page are told from zeros; and a file that cannot be it is an error that says
// what to do.
#include "libcore/host/host_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "fixtures/sample/temporary_directory.h"
#include "fixtures/synthetic/buffer_memory.h"
#include "fixtures/synthetic/kcore_builder.h"
#include "fixtures/synthetic/kernel_builder.h"
#include "libcore/host/host_kernel.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;
using synthetic::KcoreOf;
using synthetic::KernelBuilder;
using synthetic::SyntheticGuest;
using ::testing::HasSubstr;

class HostMemoryTest : public testing::Test {
 protected:
  HostMemoryTest() {
    files_.kcore = directory_ / "kcore";
    files_.page_flags = directory_ / "kpageflags";
    files_.vmcoreinfo = directory_ / "vmcoreinfo";
    files_.lockdown = directory_ / "lockdown";
  }
  static void Write(const std::string& path, std::span<const std::byte> bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  static void Write(const std::string& path, const std::string& text) {
    Write(path, std::as_bytes(std::span(text)));
  }
  std::unique_ptr<HostMemory> OpenOrDie() {
    auto memory = HostMemory::Open(files_);
    EXPECT_TRUE(memory) << memory.error().ToString();
    return memory ? *std::move(memory) : nullptr;
  }
  Error WhyNot() {
    const auto memory = HostMemory::Open(files_);
    EXPECT_FALSE(memory);
    return memory ? Error(ErrorCode::kExists, "it opens") : memory.error();
  }

  const synthetic::TemporaryDirectory directory_;
  HostFiles files_;
};

TEST_F(HostMemoryTest, ItsRamIsWhatTheSegmentsWithPhysicalAddressesSay) {
  BufferMemory ram({{Pfn(1), Pfn(9)}, {Pfn(64), Pfn(80)}});
  ram.Put(Pa(0x1008), uint64_t{42});
  ram.Put(Pfn(70).pa(), uint64_t{7});
  Write(files_.kcore, KcoreOf(ram));
  const auto memory = OpenOrDie();
  ASSERT_NE(memory, nullptr);
  EXPECT_THAT(memory->regions(), testing::ElementsAreArray(ram.regions()));
  for (const MemoryRegion& region : ram.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const PageView page = memory->View(pfn);
      ASSERT_TRUE(page.readable());
      EXPECT_EQ(std::memcmp(page.data(), ram.View(pfn).data(), kPageSize), 0);
    }
  }
  EXPECT_EQ(memory->View(Pfn(70)).fate(), PageFate::kPresent);
  EXPECT_EQ(memory->View(Pfn(71)).fate(), PageFate::kZero);
  EXPECT_EQ(memory->View(Pfn(20)).fate(), PageFate::kOutside);
  EXPECT_EQ(memory->Writable(Pfn(70)).error().code(), ErrorCode::kReadOnly);
}

TEST_F(HostMemoryTest, WhatChangesIsSeen) {
  BufferMemory ram(16 * kPageSize);
  ram.Put(Pa(0x3000), uint64_t{1});
  Write(files_.kcore, KcoreOf(ram));
  const auto memory = OpenOrDie();
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(memory->ReadScalar<uint64_t>(Pa(0x3000)), 1u);
  ram.Put(Pa(0x3000), uint64_t{2});
  Write(files_.kcore, KcoreOf(ram));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (memory->ReadScalar<uint64_t>(Pa(0x3000)) != 2u) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
}

TEST_F(HostMemoryTest, ZerosInPlaceOfAPageAreNotTakenForIt) {
  BufferMemory ram(16 * kPageSize);
  ram.Put(Pa(0x5000), uint64_t{1});
  Write(files_.kcore, KcoreOf(ram));
  constexpr uint64_t kHwpoison = uint64_t{1} << 19, kOffline = uint64_t{1} << 23;
  std::vector<uint64_t> flags(16);
  flags[3] = kHwpoison;
  flags[4] = kOffline;
  flags[5] = kOffline;  // not believed of a page that has something in it
  Write(files_.page_flags, std::as_bytes(std::span(flags)));
  const auto memory = OpenOrDie();
  ASSERT_NE(memory, nullptr);
  memory->CheckMapping([&](Pa pa) {
    std::ignore = memory->View(Pfn(7));  // as page tables would be read
    return pa != Pa(0x6000);
  });
  for (const uint64_t refused : {3, 4, 6}) {
    EXPECT_EQ(memory->View(Pfn(refused)).fate(), PageFate::kNotCaptured) << refused;
    EXPECT_EQ(memory->View(Pfn(refused)).left_out_reason(), LeftOutReason::kExcluded);
  }
  EXPECT_EQ(memory->View(Pfn(2)).fate(), PageFate::kZero);
  EXPECT_EQ(memory->View(Pfn(5)).fate(), PageFate::kPresent);
  EXPECT_EQ(memory->ReadScalar<uint64_t>(Pa(0x3000)).error().code(), ErrorCode::kUnreadable);
}

TEST_F(HostMemoryTest, ItsKernelIsFoundByWhatTheKernelSaysItself) {
  KernelBuilder builder;
  const Kva variable = builder.Data("some_variable", 8);
  builder.Put(variable, uint64_t{99});
  SyntheticGuest guest = builder.Finish();
  const Elf64_Nhdr note = {.n_namesz = sizeof "VMCOREINFO", .n_descsz = 4096, .n_type = 0};
  guest.memory->Put(Pa(guest.vmcoreinfo.value() - sizeof note - 12), note);
  Write(files_.kcore, KcoreOf(*guest.memory));
  Write(files_.vmcoreinfo, synthetic::VmcoreinfoFileOf(guest.vmcoreinfo));
  const auto memory = OpenOrDie();
  ASSERT_NE(memory, nullptr);
  const GuestKernelOptions options = HostKernelOptions(*memory, files_);
  EXPECT_THAT(options.vmcoreinfo_hints, testing::ElementsAre(guest.vmcoreinfo));
  EXPECT_TRUE(options.hints_are_all);
  const auto kernel = OpenHostKernel(*memory, *memory, options);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  EXPECT_EQ((*kernel)->release(), "6.12.0-synthetic");
  EXPECT_EQ((*kernel)->ReadSymbol<uint64_t>("some_variable"), 99u);
  EXPECT_TRUE((*kernel)->vcpus().empty());
  // Without that file, or with one that leads astray, memory is looked through.
  for (const char* text : {"", "0x0000000000003000 1024\n", "0x", "nonsense"}) {
    Write(files_.vmcoreinfo, std::string(text));
    EXPECT_FALSE(HostKernelOptions(*memory, files_).hints_are_all) << text;
    EXPECT_TRUE(OpenHostKernel(*memory, *memory, HostKernelOptions(*memory, files_))) << text;
  }
}

TEST_F(HostMemoryTest, WhoHasNoneIsToldWhy) {
  EXPECT_THAT(WhyNot().ToString(), HasSubstr("CONFIG_PROC_KCORE"));
  EXPECT_EQ(ExitCodeFor(WhyNot().code()), ExitCode::kEnvironment);
  files_.kcore = "/dev/null";  // what containers put there
  EXPECT_THAT(WhyNot().ToString(), HasSubstr("a container hides it"));
  EXPECT_EQ(ExitCodeFor(WhyNot().code()), ExitCode::kEnvironment);
  files_.kcore = directory_ / "";
  EXPECT_EQ(ExitCodeFor(WhyNot().code()), ExitCode::kEnvironment);
}

TEST_F(HostMemoryTest, HeadersThatNoKernelWritesAreRefused) {
  const BufferMemory ram(16 * kPageSize);
  using Segments = std::vector<Elf64_Phdr>;
  const std::vector<void (*)(Elf64_Ehdr&, Segments&)> changes = {
      [](Elf64_Ehdr& header, Segments&) { header.e_machine = EM_AARCH64; },
      [](Elf64_Ehdr& header, Segments&) { header.e_type = ET_EXEC; },
      [](Elf64_Ehdr& header, Segments&) { header.e_ident[EI_CLASS] = ELFCLASS32; },
      [](Elf64_Ehdr& header, Segments&) { header.e_phentsize = 32; },
      [](Elf64_Ehdr& header, Segments&) { header.e_phnum = 0xfffe; },
      [](Elf64_Ehdr& header, Segments&) { header.e_phoff = ~uint64_t{0} - 8; },
      [](Elf64_Ehdr& header, Segments&) { header.e_phnum = 0; },
      [](Elf64_Ehdr&, Segments& segments) { segments[0].p_filesz = ~uint64_t{0}; },
      [](Elf64_Ehdr&, Segments& segments) { segments.back().p_memsz = ~uint64_t{0} - 1; },
      [](Elf64_Ehdr&, Segments& segments) {
        for (Elf64_Phdr& segment : segments) segment.p_paddr = ~uint64_t{0};
      },
      // As before Linux 4.11.
      [](Elf64_Ehdr&, Segments& segments) {
        for (Elf64_Phdr& segment : segments) segment.p_paddr = 0;
      },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    Write(files_.kcore, KcoreOf(ram, {.change = changes[i]}));
    const Error error = WhyNot();
    EXPECT_EQ(ExitCodeFor(error.code()), ExitCode::kBadInput) << i << ": " << error.ToString();
    EXPECT_THAT(error.ToString(), HasSubstr(files_.kcore));
  }
  const auto whole = KcoreOf(ram);
  for (const size_t size : {0, 10, 63, 100}) {
    Write(files_.kcore, std::span(whole).first(size));
    EXPECT_EQ(ExitCodeFor(WhyNot().code()), ExitCode::kBadInput) << size;
  }
}

TEST_F(HostMemoryTest, WhatCannotBeReadIsNotThere) {
  BufferMemory ram(16 * kPageSize);
  ram.Put(Pa(0xf000), uint64_t{1});
  const auto bytes = KcoreOf(ram);
  Write(files_.kcore, std::span(bytes).first(bytes.size() - kPageSize));
  const auto memory = OpenOrDie();
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(memory->View(Pfn(15)).fate(), PageFate::kNotCaptured);
}

}  // namespace
}  // namespace ktstr

// A vmlinux file as the source of symbols and types gives the same answers as the guest's own
// memory.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "fixtures/sample/temporary_directory.h"
#include "fixtures/synthetic/sched_builder.h"
#include "fixtures/synthetic/vmlinux_builder.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using synthetic::KernelOptions;
using synthetic::SymbolSpec;
using synthetic::SyntheticGuest;
using synthetic::TemporaryDirectory;
using ::testing::HasSubstr;

// What KernelBuilder's VMCOREINFO says.
const std::vector<uint8_t> kBuildId = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
                                       0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33};

class VmlinuxTest : public ::testing::Test {
 protected:
  SyntheticGuest Make(const KernelOptions& options) {
    KernelBuilder builder(options);
    synthetic::SchedBuilder sched(builder);
    sched.AddProcess({.pid = 1});
    sched.Finish();
    SyntheticGuest guest = builder.Finish();
    synthetic::VmlinuxSpec spec{guest.symbols, guest.btf, kBuildId};
    for (SymbolSpec& symbol : spec.symbols) {
      if (symbol.type != 'A') symbol.address -= options.kaslr_offset;
    }
    EXPECT_TRUE(synthetic::WriteVmlinux(path_, spec));
    return guest;
  }

  TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_ / "vmlinux";
};

TEST_F(VmlinuxTest, GivesTheSameSymbolsTypesAndNumbersAsMemory) {
  SyntheticGuest guest = Make({});
  const auto by_memory = GuestKernel::Open(*guest.memory, guest.vcpus);
  const auto by_file = GuestKernel::Open(*guest.memory, guest.vcpus, {.vmlinux = path_});
  ASSERT_TRUE(by_memory) << by_memory.error().ToString();
  ASSERT_TRUE(by_file) << by_file.error().ToString();
  const GuestKernel& memory = **by_memory;
  const GuestKernel& file = **by_file;
  EXPECT_EQ(file.kaslr_offset(), memory.kaslr_offset());
  EXPECT_EQ(file.page_offset(), memory.page_offset());
  EXPECT_TRUE(file.Disagreements().empty());
  ASSERT_EQ(file.symbols().size(), memory.symbols().size());
  for (const SymbolSpec& symbol : guest.symbols) {
    EXPECT_EQ(*file.symbol_kva(symbol.name), *memory.symbol_kva(symbol.name)) << symbol.name;
  }
  for (uint32_t cpu = 0; cpu < 2; ++cpu) {
    EXPECT_EQ(*file.PerCpu("runqueues", cpu), *memory.PerCpu("runqueues", cpu));
  }
  EXPECT_EQ((*file.types())->FindMember("task_struct", "se.vruntime")->offset,
            (*memory.types())->FindMember("task_struct", "se.vruntime")->offset);
}

TEST_F(VmlinuxTest, ServesAKernelWithoutVmcoreinfo) {
  SyntheticGuest guest = Make({.with_vmcoreinfo = false});
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus, {.vmlinux = path_});
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  EXPECT_EQ((*kernel)->kaslr_offset(), KernelOptions().kaslr_offset);
  EXPECT_EQ((*kernel)->symbol_kva("init_task"),
            Kva(std::find_if(guest.symbols.begin(), guest.symbols.end(), [](const SymbolSpec& s) {
                  return s.name == "init_task";
                })->address));
}

TEST_F(VmlinuxTest, OfAnotherBuildIsRefusedAndBothAreNamed) {
  SyntheticGuest guest = Make({});
  ASSERT_TRUE(synthetic::WriteVmlinux(path_, {guest.symbols, guest.btf, {0xde, 0xad, 0xbe, 0xef}}));
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus, {.vmlinux = path_});
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(kernel.error().message(), HasSubstr("build ID deadbeef"));
  EXPECT_THAT(kernel.error().message(), HasSubstr("00112233"));
}

TEST_F(VmlinuxTest, TypesThatHaveASizeButNoBytesAreNone) {
  SyntheticGuest guest = Make({});
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  Elf64_Ehdr header;
  file.read(reinterpret_cast<char*>(&header), sizeof header);
  int changed = 0;
  for (int i = 0; i < header.e_shnum; ++i) {
    const auto at = std::streamoff(header.e_shoff + i * sizeof(Elf64_Shdr));
    Elf64_Shdr section;
    file.seekg(at).read(reinterpret_cast<char*>(&section), sizeof section);
    if (section.sh_type != SHT_PROGBITS || section.sh_size != guest.btf.size()) continue;
    section.sh_type = SHT_NOBITS;
    file.seekp(at).write(reinterpret_cast<const char*>(&section), sizeof section);
    ++changed;
  }
  file.close();
  ASSERT_EQ(changed, 1);
  const auto vmlinux = Vmlinux::Read(path_);
  ASSERT_TRUE(vmlinux) << vmlinux.error().ToString();
  EXPECT_TRUE(vmlinux->btf.empty());
}

TEST_F(VmlinuxTest, WhatIsNoVmlinuxIsNamed) {
  SyntheticGuest guest = Make({});
  const auto open = [&](const std::filesystem::path& path) {
    return GuestKernel::Open(*guest.memory, guest.vcpus, {.vmlinux = path}).error();
  };
  EXPECT_EQ(open(directory_ / "missing").code(), ErrorCode::kNotFound);
  std::ofstream(directory_ / "text") << "not an ELF file";
  EXPECT_EQ(open(directory_ / "text").code(), ErrorCode::kDamaged);
  ASSERT_TRUE(synthetic::WriteVmlinux(directory_ / "stripped", {}));
  EXPECT_THAT(open(directory_ / "stripped").message(), HasSubstr("no symbol table"));
}

}  // namespace
}  // namespace ktstr

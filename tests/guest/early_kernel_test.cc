// Kernels that have not got as far as to say where their symbols are: they are found all the same,
// and with them the log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cinttypes>

#include "capture/capture.h"
#include "guest_tests.h"
#include "hand_started.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/system/log.h"
#include "libcore/walk/system/work_item.h"
#include "replay/snapshot_memory.h"

namespace ktstr {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

struct Early {
  const char* name;
  const char* kernel_arguments;
  const char* until;
};

void PrintTo(const Early& early, std::ostream* os) { *os << early.name; }

class EarlyKernelTest : public testing::TestWithParam<Early> {
 protected:
  void SetUp() override {
    auto machine = HandStarted::Start(
        {.kernel_arguments = std::string("earlyprintk=ttyS0 ") + GetParam().kernel_arguments,
         .until = GetParam().until});
    ASSERT_OK(machine);
    machine_ = *std::move(machine);
    CaptureOptions options;
    options.output = machine_->directory() / "early.kts";
    const auto summary = Capture(machine_->qmp(), options);
    ASSERT_OK(summary);
    EXPECT_THAT(summary->kernel_release, HasSubstr("6.12"));
    auto archive = ArchiveReader::Open(options.output);
    ASSERT_OK(archive);
    memory_ = std::make_unique<SnapshotMemory>(*std::move(archive));
    auto kernel = GuestKernel::Open(*memory_, memory_->archive().vcpus());
    ASSERT_OK(kernel);
    kernel_ = *std::move(kernel);
  }

  std::vector<std::string> Log() {
    std::vector<std::string> lines;
    const auto log = WalkLog(*kernel_);
    EXPECT_OK(log);
    for (const LogRow& row : log->rows) lines.push_back(row.text.value_or(""));
    return lines;
  }

  std::unique_ptr<HandStarted> machine_;
  std::unique_ptr<SnapshotMemory> memory_;
  std::unique_ptr<GuestKernel> kernel_;
};

TEST_P(EarlyKernelTest, IsFoundWithoutANoteOfItsOwn) {
  EXPECT_FALSE(kernel_->vmcoreinfo());
  EXPECT_THAT(kernel_->release(), HasSubstr("6.12"));
  EXPECT_THAT(kernel_->Disagreements(), IsEmpty());
  EXPECT_OK(kernel_->types());
  const auto log = Log();
  EXPECT_THAT(log, Contains(HasSubstr("Linux version " + kernel_->release())));
  EXPECT_THAT(log, Contains(HasSubstr(GetParam().until)));
}

// What is not there yet is no damage.
TEST_P(EarlyKernelTest, WhatIsStillZerosIsNoDamage) {
  const auto works = WalkWorkItems(*kernel_);
  ASSERT_OK(works);
  EXPECT_THAT(works->anomalies, IsEmpty());
}

TEST_P(EarlyKernelTest, LiesWhereItSaysItself) {
  const std::string said = machine_->Said();
  const size_t at = said.find("Kernel Offset: 0x");
  if (at == said.npos) return;  // only a kernel that panics tells
  uint64_t offset = 0;
  ASSERT_EQ(std::sscanf(said.c_str() + at, "Kernel Offset: 0x%" SCNx64, &offset), 1);
  EXPECT_EQ(kernel_->kaslr_offset(), offset);
}

INSTANTIATE_TEST_SUITE_P(Moments, EarlyKernelTest,
                         testing::Values(
                             // Too little memory: audit_init, a postcore_initcall, panics; the note
                             // is a subsys_initcall.
                             Early{"panic", "mem=10M",
                                   "Kernel panic - not syncing: System is deadlocked on memory"},
                             // In setup_arch.
                             Early{"setup", "", "Command line:"}),
                         [](const testing::TestParamInfo<Early>& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr

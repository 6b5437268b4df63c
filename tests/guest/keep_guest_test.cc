// An archive without what is not the kernel's: every walker finds in it what it finds in the whole
// machine, and the pages that are missing are those that the guest's own kernel calls so.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "analyze/index/tables.h"
#include "capture/capture.h"
#include "capture/find_notes.h"
#include "capture/live_memory.h"
#include "capture/qemu/device_state.h"
#include "capture/qemu/ram_map.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"
#include "libcore/qemu/vcpu_state.h"
#include "libcore/walk/memory/page_classes.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

using synthetic::TemporaryDirectory;
using ::testing::AllOf;
using ::testing::Gt;
using ::testing::HasSubstr;

constexpr char kVtime[] = "/vtime.bpf.o";
constexpr char kMemoryUser[] = "/memory_user";

struct Configuration {
  std::string name;
  std::string kernel;  // a stock kernel's version, or a variant of ours
  bool sched_ext;
};

void PrintTo(const Configuration& c, std::ostream* os) { *os << c.name; }

// A guest's memory that remembers which pages were looked at.
class RecordingMemory : public GuestMemory {
 public:
  explicit RecordingMemory(const GuestMemory& memory)
      : memory_(memory), viewed_(Pfn::Of(memory.end()).value()) {}

  std::span<const MemoryRegion> regions() const override { return memory_.regions(); }
  PageView View(Pfn pfn) const override {
    if (pfn.value() < viewed_.size()) viewed_[pfn.value()].store(true, std::memory_order_relaxed);
    return memory_.View(pfn);
  }
  Result<std::byte*> Writable(Pfn) override {
    return Fail(ErrorCode::kReadOnly, "to be read only");
  }
  Pfn NextTouched(Pfn from) const override { return memory_.NextTouched(from); }

  void Forget() {
    for (auto& viewed : viewed_) viewed = false;
  }
  bool Viewed(Pfn pfn) const { return viewed_[pfn.value()].load(); }

 private:
  const GuestMemory& memory_;
  mutable std::vector<std::atomic<bool>> viewed_;
};

// The flags of /proc/kpageflags (include/uapi/linux/kernel-page-flags.h) that tell what a page is.
enum PageFlag : uint64_t {
  kLru = 1 << 5,
  kSlab = 1 << 7,
  kBuddy = 1 << 10,
  kMapped = 1 << 11,
  kAnonymous = 1 << 12,
  kSwapBacked = 1 << 14,
  kTail = 1 << 16,
  kHugetlb = 1 << 17,
  kPoisoned = 1 << 19,
  kNoPage = 1 << 20,
  kOffline = 1 << 23,
  kPageTable = 1 << 26,
  kReserved = uint64_t{1} << 32,
};
constexpr uint64_t kTelling = kLru | kSlab | kBuddy | kAnonymous | kSwapBacked | kTail | kHugetlb |
                              kPoisoned | kNoPage | kOffline | kPageTable | kReserved;

// The telling flags of each frame from 0 on, out of "FLAGS*COUNT …".
std::vector<uint64_t> ParseFlags(const std::string& runs) {
  std::vector<uint64_t> flags;
  for (const char* at = runs.c_str(); *at != '\0';) {
    char* end;
    const uint64_t value = std::strtoull(at, &end, 16);
    const uint64_t count = std::strtoull(end + 1, &end, 10);
    flags.insert(flags.end(), count, value & (kTelling | kMapped));
    at = end + (*end == ' ' ? 1 : 0);
  }
  return flags;
}

// What a page with these flags is, as the guest's kernel sees it.
LeftOutReason ReasonFor(uint64_t flags) {
  if ((flags & kBuddy) != 0) return LeftOutReason::kFree;
  if ((flags & (kSlab | kPoisoned | kNoPage | kOffline | kPageTable | kReserved)) != 0) {
    return LeftOutReason::kNone;
  }
  if ((flags & kHugetlb) != 0) return LeftOutReason::kUserData;
  if ((flags & kAnonymous) != 0 && (flags & (kLru | kMapped)) != 0) return LeftOutReason::kUserData;
  if ((flags & kLru) == 0) return LeftOutReason::kNone;
  return (flags & (kSwapBacked | kAnonymous)) != 0 ? LeftOutReason::kUserData
                                                   : LeftOutReason::kPageCache;
}

// One guest, frozen once, and what became of it in archives of both kinds.
struct FrozenGuest {
  Tables live, all, kernel;  // what the walkers make of it
  ArchiveWriteSummary all_summary, kernel_summary;
  std::string all_kept, kernel_kept;  // as the archives say
  std::vector<std::string> warnings;
  std::vector<MemoryRegion> regions;
  PageClasses classes;
  std::vector<Pfn> viewed;                          // pages that a walker looked at
  std::vector<uint64_t> flags_before, flags_after;  // as the guest's kernel says, by frame
};

class KeepGuestTest : public testing::TestWithParam<Configuration> {
 protected:
  Result<std::unique_ptr<GuestMachine>> Boot() {
    MachineOptions options;
    options.kernel = AnyKernel(GetParam().kernel);
    if (GetParam().sched_ext) options.qemu = QemuForSchedulers();
    options.files = {{KTSTR_MEMORY_USER, kMemoryUser, 0755},
                     {KTSTR_SCHEDULER_DIR "/vtime.bpf.o", kVtime}};
    auto machine = KTSTR_TRY(
        BootWithWork(options, "spin:1,sleep:2,futex-wait:2,pipe-wait:1,mutex-wait:2,threads:1"));
    if (GetParam().sched_ext) KTSTR_TRY(machine->LoadScheduler(kVtime));
    return machine;
  }

  static Result<std::string> Run(GuestMachine& machine, const std::string& what) {
    const auto ran = KTSTR_TRY(machine.RunProgram({kMemoryUser, what}, ""));
    if (ran["status"] != 0) return Fail(ErrorCode::kPeer, "memory_user failed: " + ran.dump());
    return ran["stdout"].get<std::string>();
  }

  // Writes the archive, and adds what it holds.
  Status AddArchive(Frozen& frozen, pid_t pid, Keep keep, FrozenGuest& guest) {
    const bool whole = keep == Keep::kAll;
    CaptureOptions options;
    options.output = directory_ / (whole ? "all.kts" : "kernel.kts");
    options.keep = keep;
    options.pid = pid;
    const CaptureSummary summary = KTSTR_TRY(CaptureFrozen(frozen, options));
    guest.warnings.insert(guest.warnings.end(), summary.warnings.begin(), summary.warnings.end());
    const auto archive = KTSTR_TRY(FrozenMachine::Open(options.output));
    (whole ? guest.all_summary : guest.kernel_summary) = summary.archive;
    (whole ? guest.all_kept : guest.kernel_kept) = archive->archive().metadata().kept;
    (whole ? guest.all : guest.kernel) = KernelTables(*KTSTR_TRY(archive->Kernel()));
    return {};
  }

  Result<FrozenGuest> FreezeAndKeep(GuestMachine& machine) {
    KTSTR_TRY(Run(machine, "hold"));
    FrozenGuest guest;
    guest.flags_before = ParseFlags(KTSTR_TRY(Run(machine, "flags")));
    Frozen frozen = KTSTR_TRY(Frozen::Freeze(machine.qmp()));
    const pid_t pid = machine.qemu().pid();
    const auto state = KTSTR_TRY(SaveDeviceState(frozen));
    const auto vcpus = KTSTR_TRY(ParseVcpus(*state));
    const auto memory = KTSTR_TRY(LiveMemory::Map(KTSTR_TRY(FindRam(machine.qmp(), pid))));
    guest.regions.assign(memory->regions().begin(), memory->regions().end());
    std::vector<Pa> notes;
    for (const Vmcoreinfo& note : Vmcoreinfo::FindAll(*memory)) notes.push_back(note.pa());
    // User data is left aside where the kernel tells of it.
    EXPECT_EQ(FindNotes(machine.qmp(), *memory, nullptr, /*many_pages=*/0), notes);

    RecordingMemory recorder(*memory);
    const auto kernel = KTSTR_TRY(
        GuestKernel::Open(recorder, vcpus, {.vmcoreinfo_hints = notes, .hints_are_all = true}));
    // Finding the kernel tries what might be page tables: where a process's have the bit that with
    // page-table isolation tells the user's half, also the page beside them, whatever that is.
    recorder.Forget();
    guest.live = KernelTables(*kernel);
    for (const MemoryRegion& region : guest.regions) {
      for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
        if (recorder.Viewed(pfn)) guest.viewed.push_back(pfn);
      }
    }
    guest.classes = KTSTR_TRY(PageClasses::Read(*kernel));
    KTSTR_TRY(AddArchive(frozen, pid, Keep::kAll, guest));
    KTSTR_TRY(AddArchive(frozen, pid, Keep::kKernel, guest));
    KTSTR_TRY(frozen.Resume());
    guest.flags_after = ParseFlags(KTSTR_TRY(Run(machine, "flags")));
    return guest;
  }

  TemporaryDirectory directory_;
};

std::string Row(const TableData& table, size_t row) {
  std::string text;
  for (size_t column = 0; column < table.info().columns.size(); ++column) {
    const Value value = table.Cell(row, column);
    const std::string cell = std::visit(
        [](const auto& v) -> std::string {
          if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::monostate>) {
            return "NULL";
          } else {
            return fmt::format("{}", v);
          }
        },
        value);
    text += fmt::format("{}={} ", table.info().columns[column].name, cell);
  }
  return text;
}

// All rows of all tables. Anomalies are among them: a running task's stack may have one.
std::vector<std::string> Rows(const Tables& tables) {
  std::vector<std::string> rows;
  for (const auto& table : tables) {
    for (size_t i = 0; i < table->row_count(); ++i) {
      rows.push_back(fmt::format("{} {}", table->info().name, Row(*table, i)));
    }
  }
  return rows;
}

size_t RowCount(const Tables& tables, std::string_view name) {
  for (const auto& table : tables) {
    if (table->info().name == name) return table->row_count();
  }
  return 0;
}

void ExpectSameRows(const FrozenGuest& guest, bool sched_ext) {
  const auto whole = Rows(guest.all);
  EXPECT_EQ(Rows(guest.live), whole);
  EXPECT_EQ(Rows(guest.kernel), whole);
  for (const char* table : {"task", "stack_frame", "lock_wait", "cgroup", "timer", "log"}) {
    EXPECT_GT(RowCount(guest.kernel, table), 0u) << table;
  }
  // Kernels that can load a scheduler have queues without one.
  for (const char* table : {"scx_op", "bpf_map_value", "bpf_prog"}) {
    EXPECT_EQ(RowCount(guest.kernel, table) > 0, sched_ext) << table;
  }
}

// The direct proof: whatever rows came of it, no page that a walker looks at was left out. But for
// what a search for waiters tries: a word on a stack may be a waiter's list node, or be left behind
// there by what has returned and lead to memory that has been given back since. It is no waiter
// then, whether that memory is there or not.
void ExpectNothingReadIsLeftOut(const FrozenGuest& guest) {
  constexpr size_t kMostTried = 4;
  EXPECT_GT(guest.viewed.size(), 1000u);
  std::vector<std::string> left_out;
  for (const Pfn pfn : guest.viewed) {
    const LeftOutReason reason = guest.classes.Of(pfn);
    if (reason == LeftOutReason::kNone) continue;
    left_out.push_back(fmt::format("frame {}: {}", pfn.value(), LeftOutReasonName(reason)));
  }
  EXPECT_THAT(left_out, testing::SizeIs(testing::Le(kMostTried)));
}

void ExpectSummaries(const FrozenGuest& guest) {
  EXPECT_THAT(guest.warnings, testing::IsEmpty());
  EXPECT_EQ(guest.all_kept, "all");
  EXPECT_EQ(guest.kernel_kept, "kernel");
  EXPECT_TRUE(guest.all_summary.left_out_pages.empty());
  auto left_out = guest.kernel_summary.left_out_pages;
  // What memory_user holds: 8 MiB of ramfs; 4 of tmpfs, 4 shared, 17 anonymous and more.
  EXPECT_GT(left_out[LeftOutReason::kFree], 50'000u);
  EXPECT_GE(left_out[LeftOutReason::kPageCache], 2000u);
  EXPECT_GE(left_out[LeftOutReason::kUserData], 6400u);
  EXPECT_LT(guest.kernel_summary.file_size, guest.all_summary.file_size);
}

// What the guest's kernel said of a page both before and after, it said when it stood still. By
// that and by our word for it: how many pages.
struct Comparison {
  std::map<std::pair<LeftOutReason, LeftOutReason>, uint64_t> counts;
  uint64_t same = 0;    // in agreement
  uint64_t listed = 0;  // free for us, and nothing for the kernel: it does not know CPUs' lists
  // Free for us, and not so for the kernel: of the program that asked it, which ran twice and was
  // gone in between. Its user data, and its page tables and the like.
  uint64_t user_of_asker = 0, kernel_of_asker = 0;
  uint64_t in_doubt = 0;  // kept: in the middle of a change when everything stood still
  uint64_t other = 0;

  void Add(uint64_t flags, LeftOutReason theirs, LeftOutReason ours) {
    ++counts[{theirs, ours}];
    const bool free = ours == LeftOutReason::kFree;
    if (theirs == ours) {
      ++same;
    } else if (free && (flags & kTelling) == 0) {
      ++listed;
    } else if (free) {
      ++(theirs == LeftOutReason::kUserData ? user_of_asker : kernel_of_asker);
    } else if (ours == LeftOutReason::kNone) {
      ++in_doubt;
    } else {
      ++other;
    }
  }
  std::string ToText() const {
    std::string text;
    for (const auto& [key, count] : counts) {
      text += fmt::format("'{}' for the guest, '{}' for us: {}\n", LeftOutReasonName(key.first),
                          LeftOutReasonName(key.second), count);
    }
    return text;
  }
};

Comparison Compare(const FrozenGuest& guest) {
  Comparison comparison;
  LeftOutReason head = LeftOutReason::kNone;
  for (const MemoryRegion& region : guest.regions) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const uint64_t at = pfn.value();
      if (at >= guest.flags_before.size() || at >= guest.flags_after.size()) break;
      const uint64_t flags = guest.flags_before[at];
      const LeftOutReason theirs = (flags & kTail) != 0 ? head : ReasonFor(flags);
      if ((flags & kTail) == 0) head = theirs;
      if (((flags ^ guest.flags_after[at]) & kTelling) != 0) continue;
      comparison.Add(flags, theirs, guest.classes.Of(pfn));
    }
  }
  return comparison;
}

void ExpectAsTheKernelSays(const FrozenGuest& guest) {
  const Comparison comparison = Compare(guest);
  EXPECT_EQ(comparison.other, 0u) << comparison.ToText();
  EXPECT_GT(comparison.same, 100'000u) << comparison.ToText();
  EXPECT_LT(comparison.listed, 16'384u) << comparison.ToText();
  EXPECT_LT(comparison.in_doubt, 1024u) << comparison.ToText();
  EXPECT_LT(comparison.user_of_asker, 1024u) << comparison.ToText();
  EXPECT_LT(comparison.kernel_of_asker, 64u) << comparison.ToText();
}

// memory_user has four pages of 2 MiB, each of 512 frames: none of them is kept, tails included.
void ExpectNoHugetlbPageIsKept(const FrozenGuest& guest, bool has_hugetlb) {
  uint64_t pages = 0, kept = 0;
  for (const MemoryRegion& region : guest.regions) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const uint64_t at = pfn.value();
      if (at >= guest.flags_before.size() || at >= guest.flags_after.size()) break;
      if ((guest.flags_before[at] & guest.flags_after[at] & kHugetlb) == 0) continue;
      ++pages;
      kept += guest.classes.Of(pfn) != LeftOutReason::kUserData;
    }
  }
  // Our own kernels are built without CONFIG_HUGETLBFS.
  EXPECT_EQ(pages >= 4u * 512, has_hugetlb) << pages;
  EXPECT_EQ(kept, 0u);
}

TEST_P(KeepGuestTest, AnArchiveOfTheKernelAnswersEverythingThatTheWholeMachineDoes) {
  const auto machine = Boot();
  ASSERT_OK(machine);
  const auto guest = FreezeAndKeep(**machine);
  ASSERT_OK(guest);
  ExpectSameRows(*guest, GetParam().sched_ext);
  ExpectNothingReadIsLeftOut(*guest);
  ExpectSummaries(*guest);
  ExpectNoHugetlbPageIsKept(*guest, !GetParam().sched_ext);
  ExpectAsTheKernelSays(*guest);
}

INSTANTIATE_TEST_SUITE_P(Kernels, KeepGuestTest,
                         testing::Values(Configuration{"stock_6_12", "6.12", false},
                                         Configuration{"stock_6_1", "6.1", false},
                                         Configuration{"small", "small", true},
                                         Configuration{"distribution", "distribution", true}),
                         [](const auto& info) { return info.param.name; });

std::vector<Configuration> Others() {
  std::vector<Configuration> others;
  for (const std::string& kernel : OtherKernels({"newest-6", "newest-7"})) {
    others.push_back({KernelTestName(kernel), kernel, false});
  }
  return others;
}
INSTANTIATE_TEST_SUITE_P(Others, KeepGuestTest, testing::ValuesIn(Others()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr

// How fast translation, symbols, members and operations are, on memory like a live guest's (mapped
// bytes) and on an archive.
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <random>
#include <tuple>

#include "fixtures/sample/temporary_directory.h"
#include "fixtures/synthetic/sched_builder.h"
#include "fixtures/synthetic/still_guest.h"
#include "libcore/archive/writer.h"
#include "libcore/ops/dispatcher.h"
#include "libcore/paging/address_space.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;
using synthetic::KernelBuilder;
using synthetic::KernelOptions;
using synthetic::PageTables;
using synthetic::SchedBuilder;
using synthetic::StillGuest;
using synthetic::SyntheticGuest;
using synthetic::TaskSpec;

constexpr uint64_t kMiB = 1 << 20;

// One mapping, as a live guest's RAM is: a page is found by arithmetic.
class MappedMemory : public GuestMemory {
 public:
  explicit MappedMemory(const GuestMemory& from) {
    regions_.assign(from.regions().begin(), from.regions().end());
    size_ = from.end().value();
    void* bytes = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) std::abort();
    bytes_ = static_cast<std::byte*>(bytes);
    for (Pfn pfn(0); pfn.pa().value() < size_; pfn = pfn + 1) {
      const PageView page = from.View(pfn);
      if (page.fate() != PageFate::kPresent) continue;
      std::memcpy(bytes_ + pfn.pa().value(), page.data(), kPageSize);
    }
  }
  ~MappedMemory() override { munmap(bytes_, size_); }

  std::span<const MemoryRegion> regions() const override { return regions_; }
  PageView View(Pfn pfn) const override {
    if (pfn.pa().value() >= size_) return PageView::Outside();
    return PageView::Present(bytes_ + pfn.pa().value());
  }
  Result<std::byte*> Writable(Pfn pfn) override {
    if (pfn.pa().value() >= size_) return Fail(UnreadableError(pfn.pa(), PageView::Outside()));
    return bytes_ + pfn.pa().value();
  }

 private:
  std::vector<MemoryRegion> regions_;
  uint64_t size_;
  std::byte* bytes_;
};

// ---- Translation: range(0) is the levels, range(1) how many 4 KiB pages are mapped.

class Mapped {
 public:
  Mapped(int levels, uint64_t pages)
      : buffers_(256 * kMiB), tables_(buffers_, Pa(kMiB), levels), pages_(pages) {
    tables_.MapRange(kBase, Pa(128 * kMiB), pages * kPageSize);
    memory_ = std::make_unique<MappedMemory>(buffers_);
    space_ = std::make_unique<AddressSpace>(
        *memory_, tables_.root(), levels == 5 ? PagingMode::kFiveLevel : PagingMode::kFourLevel);
  }
  static constexpr Kva kBase{0xffffc90000000000};

  AddressSpace& space() { return *space_; }
  std::vector<Kva> Sequential() const {
    std::vector<Kva> all;
    for (uint64_t i = 0; i < pages_; ++i) all.push_back(kBase + i * kPageSize + 8);
    return all;
  }
  std::vector<Kva> Random() const {
    std::vector<Kva> all = Sequential();
    std::shuffle(all.begin(), all.end(), std::mt19937(1));
    return all;
  }

 private:
  BufferMemory buffers_;
  PageTables tables_;
  uint64_t pages_;
  std::unique_ptr<MappedMemory> memory_;
  std::unique_ptr<AddressSpace> space_;
};

void Translate(benchmark::State& state, bool random) {
  Mapped mapped(static_cast<int>(state.range(0)), static_cast<uint64_t>(state.range(1)));
  const auto addresses = random ? mapped.Random() : mapped.Sequential();
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(mapped.space().Translate(addresses[next]));
    if (++next == addresses.size()) next = 0;
  }
}
// 8,192 pages fit into the cache, 32,768 do not.
void BM_TranslateSequential(benchmark::State& state) { Translate(state, false); }
void BM_TranslateRandom(benchmark::State& state) { Translate(state, true); }
BENCHMARK(BM_TranslateSequential)
    ->ArgNames({"levels", "pages"})
    ->ArgsProduct({{4, 5}, {8192, 32768}});
BENCHMARK(BM_TranslateRandom)->ArgNames({"levels", "pages"})->ArgsProduct({{4, 5}, {8192, 32768}});

void BM_TranslateByWalk(benchmark::State& state) {
  Mapped mapped(static_cast<int>(state.range(0)), 8192);
  const auto addresses = mapped.Random();
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(mapped.space().Walk(addresses[next]));
    if (++next == addresses.size()) next = 0;
  }
}
BENCHMARK(BM_TranslateByWalk)->ArgName("levels")->Arg(4)->Arg(5);

// ---- Operations, on mapped bytes or on an archive.

enum Where : int64_t { kMapped = 0, kArchive = 1 };

class Guest {
 public:
  Guest(Where where, uint32_t tasks, bool threads) {
    KernelOptions options;
    options.memory_bytes = 256 * kMiB;
    KernelBuilder builder(options);
    SchedBuilder sched(builder);
    // As many symbols as a kernel has in sight of a hash table.
    for (int i = 0; i < 20'000; ++i) builder.Data("symbol_number_" + std::to_string(i), 1);
    Kva leader;
    for (uint32_t pid = 1; pid <= tasks; ++pid) {
      if (threads && pid > 1) {
        sched.AddThread(leader, Task(pid));
      } else {
        leader = sched.AddProcess(Task(pid));
      }
    }
    sched.Finish();
    SyntheticGuest guest = builder.Finish();
    if (where == kMapped) {
      mapped_ = std::make_unique<MappedMemory>(*guest.memory);
      owned_ = GuestKernel::Open(*mapped_, guest.vcpus).value();
      kernel_ = owned_.get();
    } else {
      const auto path = directory_ / "a.kts";
      if (!WriteArchive(path, {*guest.memory, guest.vcpus}, {})) std::abort();
      machine_ = FrozenMachine::Open(path).value();
      kernel_ = machine_->Kernel().value();
    }
    dispatcher_ = std::make_unique<Dispatcher>(*kernel_);
  }

  GuestKernel& kernel() { return *kernel_; }
  OpOutcome Run(const OpRequest& request) {
    return StillGuest::Exclusively(
        [&](const Exclusive& exclusive) { return dispatcher_->Run(exclusive, request); });
  }

 private:
  static TaskSpec Task(uint32_t pid) { return {.pid = pid, .state = 1, .sched_class = "ext"}; }

  synthetic::TemporaryDirectory directory_;
  std::unique_ptr<MappedMemory> mapped_;
  std::unique_ptr<GuestKernel> owned_;
  std::unique_ptr<FrozenMachine> machine_;
  GuestKernel* kernel_ = nullptr;
  std::unique_ptr<Dispatcher> dispatcher_;
};

// The guest of the last call, made anew when another one is asked for: the library calls a
// benchmark several times before it measures.
Guest& SharedGuest(Where where = kMapped, uint32_t tasks = 1, bool threads = false) {
  static std::unique_ptr<Guest> guest;
  static std::tuple<Where, uint32_t, bool> made_for;
  if (guest == nullptr || made_for != std::tuple(where, tasks, threads)) {
    guest.reset();
    guest = std::make_unique<Guest>(where, tasks, threads);
    made_for = {where, tasks, threads};
  }
  return *guest;
}

void BM_FindSymbol(benchmark::State& state) {
  Guest& guest = SharedGuest();
  for (auto _ : state) benchmark::DoNotOptimize(guest.kernel().symbol_kva("symbol_number_4711"));
}
BENCHMARK(BM_FindSymbol);

void BM_FindNestedMember(benchmark::State& state) {
  Guest& guest = SharedGuest();
  const TypeInfo& types = *guest.kernel().types().value();
  for (auto _ : state) {
    benchmark::DoNotOptimize(types.FindMember("task_struct", "scx.dsq_list.node.next"));
  }
}
BENCHMARK(BM_FindNestedMember);

void BM_FindNestedMemberAgain(benchmark::State& state) {
  Guest& guest = SharedGuest();
  MemberCache members = MemberCache::Open(guest.kernel(), "task_struct").value();
  const std::string path = "scx.dsq_list.node.next";
  for (auto _ : state) {
    auto member = members.Find(path);
    benchmark::DoNotOptimize(member);
  }
}
BENCHMARK(BM_FindNestedMemberAgain);

void RunRead(benchmark::State& state, Guest& guest, const OpEntry& entry) {
  const OpRequest request = {.entries = {entry}};
  for (auto _ : state) {
    OpOutcome outcome =
        guest.Run(request);  // not const: a newer DoNotOptimize is deprecated for that
    if (!outcome) return state.SkipWithError(outcome.error().error.text.c_str());
    benchmark::DoNotOptimize(outcome);
  }
}

void BM_ReadSymbol(benchmark::State& state) {
  Guest& guest = SharedGuest(Where{state.range(0)});
  RunRead(state, guest, {SymbolTarget{"jiffies_64"}, U64Value{}});
}
BENCHMARK(BM_ReadSymbol)->ArgName("archive")->Arg(kMapped)->Arg(kArchive);

void BM_ReadPerCpuField(benchmark::State& state) {
  Guest& guest = SharedGuest(Where{state.range(0)});
  RunRead(state, guest, {PerCpuFieldTarget{"runqueues", "cfs.nr_running", 1}, U32Value{}});
}
BENCHMARK(BM_ReadPerCpuField)->ArgName("archive")->Arg(kMapped)->Arg(kArchive);

// The last of so many tasks, all of them leaders or all but one of them threads.
void BM_ReadTaskField(benchmark::State& state) {
  const auto tasks = static_cast<uint32_t>(state.range(1));
  Guest& guest = SharedGuest(Where{state.range(0)}, tasks, state.range(2) != 0);
  RunRead(state, guest, {TaskFieldTarget{tasks, 1'000'000'000, "scx.dsq_vtime"}, U64Value{}});
}
BENCHMARK(BM_ReadTaskField)
    ->ArgNames({"archive", "tasks", "threads"})
    ->ArgsProduct({{kMapped, kArchive}, {100, 10'000, 60'000}, {0, 1}})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ktstr

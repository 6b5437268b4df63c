// Arenas: which pages they have, where pointers into them lead, and what tasks' storage leads to.
#include "fixtures/synthetic/bpf_builder.h"
#include "fixtures/synthetic/sched_builder.h"
#include "libcore/walk/bpf/arena_pointers.h"
#include "libcore/walk/bpf/map.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using synthetic::BpfBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Type = BpfBuilder::Type;

class BpfArenaTest : public ::testing::Test {
 protected:
  BpfArenaTest() {
    b().types().Struct("vm_struct", {{"void *", "addr"}});
    b().types().Struct("bpf_arena",
                       {{"u64", "user_vm_start"}, {"bpf_map", "map"}, {"vm_struct *", "kern_vm"}});
  }
  synthetic::KernelBuilder& b() { return guest_.builder(); }

  // An arena at an address of user space. Returns where the kernel has its first page, of which
  // none is there yet.
  Kva AddArena(uint32_t id, uint64_t begin, Kva area, uint32_t pages = 16) {
    const Kva map = bpf_.AddIn(
        Type::kArena,
        {.id = id, .name = "arena", .key_size = 0, .value_size = 0, .max_entries = pages},
        "bpf_arena", 0);
    const Kva vm = b().Allocate(b().SizeOf("vm_struct"));
    b().Set("vm_struct", vm, "addr", area.value());
    b().Set("bpf_arena", bpf_.ContainerOf(map), "user_vm_start", begin);
    b().Set("bpf_arena", bpf_.ContainerOf(map), "kern_vm", vm.value());
    return area + 0x8000 + (begin & 0xffffffff);
  }
  const GuestKernel& Open() {
    sched_.Finish();
    bpf_.Finish();
    return guest_.Open();
  }
  static BpfMaps WalkMaps(const GuestKernel& kernel, const BpfMapLimits& limits = {}) {
    auto maps = WalkBpfMaps(kernel, limits);
    if (maps) return *std::move(maps);
    ADD_FAILURE() << maps.error().ToString();
    return {};
  }

  static constexpr uint64_t kBegin = 0x100000002000;
  static constexpr Kva kArea{0xffffc9f000000000}, kOtherArea{0xffffc9f200000000};

  WalkGuest guest_;
  synthetic::SchedBuilder sched_{guest_.builder()};
  BpfBuilder bpf_{guest_.builder()};
};

TEST_F(BpfArenaTest, ItsPagesAreThoseThatAreMapped) {
  const Kva first = AddArena(7, kBegin, kArea);
  b().AllocateAt(first, kPageSize);
  b().AllocateAt(first + 14 * kPageSize, 3 * kPageSize);  // the last one is no page of its
  const BpfMaps maps = WalkMaps(Open());
  using Page = BpfArenaPageRow;
  EXPECT_THAT(maps.arena_pages,
              ElementsAre(Page{7, 0, Hex(kBegin), Hex(first)},
                          Page{7, 14, Hex(kBegin + 14 * kPageSize), Hex(first + 14 * kPageSize)},
                          Page{7, 15, Hex(kBegin + 15 * kPageSize), Hex(first + 15 * kPageSize)}));
  EXPECT_EQ(maps.maps.at(0).entries, 3);
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfArenaTest, ItsPagesAreTakenAsFarAsTheWalkGoes) {
  b().AllocateAt(AddArena(7, kBegin, kArea, 64), 64 * kPageSize);
  const BpfMaps maps = WalkMaps(Open(), {.walk = {.max_all_nodes = 40}});
  EXPECT_GT(maps.arena_pages.size(), 20u);
  EXPECT_LE(maps.arena_pages.size(), 40u);
  EXPECT_EQ(maps.maps.at(0).entries, std::nullopt);
  ASSERT_EQ(maps.anomalies.size(), 1u) << ToText(maps.anomalies);
  EXPECT_EQ(maps.anomalies[0].kind, "cap");
}

TEST_F(BpfArenaTest, OneThatNobodyHasMappedHasNoPages) {
  AddArena(7, 0, kArea);
  const BpfMaps maps = WalkMaps(Open());
  EXPECT_THAT(maps.arena_pages, IsEmpty());
  EXPECT_EQ(maps.maps.at(0).entries, 0);
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfArenaTest, APointerInTasksStorageLeadsToTheTasksContext) {
  const Kva first = AddArena(7, kBegin, kArea);
  b().AllocateAt(first, kPageSize);
  b().Put<uint64_t>(first + 64, 41);
  bpf_.program_types().Struct("context", {{"u64", "runs"}});
  bpf_.program_types().Struct("storage", {{"u64", "padding"}, {"context *", "context"}});
  const Kva storage =
      bpf_.AddTaskStorage({.id = 4, .value_size = 16, .value_type = "storage"}, /*bucket_log=*/0);
  const Kva task = sched_.AddProcess({.pid = 31});
  b().Put<uint64_t>(bpf_.AddToTask(storage, 0, task) + 8, kBegin + 64);
  // Of another task it leads nowhere, which is the program's own business.
  b().Put<uint64_t>(bpf_.AddToTask(storage, 0, sched_.AddProcess({.pid = 32})) + 8,
                    kBegin + 5 * kPageSize);
  const BpfMaps maps = WalkMaps(Open());
  std::vector<BpfMapValueRow> of_arena;
  for (const BpfMapValueRow& row : maps.values) {
    if (row.map_id == 7) of_arena.push_back(row);
  }
  ASSERT_EQ(of_arena.size(), 1u);
  EXPECT_EQ(of_arena[0].key, "31");
  EXPECT_EQ(of_arena[0].value, R"({"runs":41})");
  EXPECT_EQ(of_arena[0].pid, 31);
  EXPECT_EQ(of_arena[0].task_kva, Hex(task));
  EXPECT_EQ(of_arena[0].value_kva, Hex(first + 64));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfArenaTest, OfTwoArenasAtOneAddressTheMapTellsWhichIsMeant) {
  const Kva first = AddArena(7, kBegin, kArea), second = AddArena(8, kBegin, kOtherArea);
  b().AllocateAt(first, 2 * kPageSize);
  b().AllocateAt(second, kPageSize);
  Anomalies anomalies("test");
  const auto walk = Walk::Of(Open(), anomalies);
  ASSERT_TRUE(walk);
  const ArenaPointers pointers(*walk);
  EXPECT_EQ(pointers.Resolve(Kva(kBegin)).error().code(), ErrorCode::kAmbiguous);
  EXPECT_EQ(pointers.ResolveIn(8, Kva(kBegin + 3)).value_or(Kva()), second + 3);
  EXPECT_EQ(pointers.IdOf("arena").error().code(), ErrorCode::kAmbiguous);
  // Where one of them has a page, it is that one.
  EXPECT_EQ(pointers.Resolve(Kva(kBegin + kPageSize)).value_or(Kva()), first + kPageSize);
}

}  // namespace
}  // namespace ktstr

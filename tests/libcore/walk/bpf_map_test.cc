#include <fmt/format.h>

#include "fixtures/synthetic/bpf_builder.h"
#include "fixtures/synthetic/sched_builder.h"
#include "libcore/walk/bpf/map.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using synthetic::BpfBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Type = BpfBuilder::Type;
using KeyValue = std::pair<std::string, std::string>;

class BpfMapTest : public ::testing::Test {
 protected:
  BpfMapTest() {
    bpf_.program_types().Struct("point", {{"int", "x"}, {"bool", "set"}, {"char[8]", "label"}});
  }
  synthetic::KernelBuilder& b() { return guest_.builder(); }

  BpfMaps Walk(const BpfMapLimits& limits = {}) {
    sched_.Finish();
    bpf_.Finish();
    auto maps = WalkBpfMaps(guest_.Open(), limits);
    if (maps) return *std::move(maps);
    ADD_FAILURE() << maps.error().ToString();
    return {};
  }
  static std::vector<KeyValue> Values(const BpfMaps& maps, int64_t id) {
    std::vector<KeyValue> values;
    for (const BpfMapValueRow& row : maps.values) {
      if (row.map_id != id) continue;
      values.emplace_back(row.cpu ? fmt::format("{}@{}", row.key, *row.cpu) : row.key, row.value);
    }
    return values;
  }
  static const BpfMapRow& ById(const BpfMaps& maps, int64_t id) {
    return *std::find_if(maps.maps.begin(), maps.maps.end(),
                         [&](const BpfMapRow& row) { return row.id == id; });
  }

  WalkGuest guest_;
  synthetic::SchedBuilder sched_{guest_.builder()};
  BpfBuilder bpf_{guest_.builder()};
};

TEST_F(BpfMapTest, AMapIsARowWithItsShape) {
  const Kva map = bpf_.AddOther(
      Type::kSockmap,
      {.id = 70, .name = "pending", .key_size = 0, .value_size = 16, .max_entries = 9});
  b().Set("bpf_map", map, "map_flags", 0x400);
  b().Set("bpf_map", map, "frozen", 1);
  const BpfMaps maps = Walk();
  ASSERT_THAT(maps.maps, SizeIs(1));
  const BpfMapRow& row = maps.maps[0];
  EXPECT_EQ(row.id, 70);
  EXPECT_EQ(row.name, "pending");
  EXPECT_EQ(row.type, "sockmap");
  EXPECT_EQ(row.key_size, 0);
  EXPECT_EQ(row.value_size, 16);
  EXPECT_EQ(row.max_entries, 9);
  EXPECT_EQ(row.flags, Hex(0x400));
  EXPECT_EQ(row.frozen, 1);
  EXPECT_EQ(row.entries, std::nullopt);
  EXPECT_EQ(row.map_kva, Hex(map));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfMapTest, AKernelWithoutBpfHasNone) {
  WalkGuest guest;
  synthetic::SchedBuilder sched(guest.builder());
  sched.Finish();
  const auto maps = WalkBpfMaps(guest.Open());
  ASSERT_TRUE(maps);
  EXPECT_THAT(maps->maps, IsEmpty());
  EXPECT_THAT(maps->anomalies, NoAnomalies());
}

TEST_F(BpfMapTest, AnArrayHasItsValuesByIndex) {
  const Kva map =
      bpf_.AddArray({.id = 1, .max_entries = 3, .key_type = "u32", .value_type = "u64"});
  for (uint64_t i = 0; i < 3; ++i) b().Put<uint64_t>(bpf_.ArrayValue(map, i), 100 * i);
  const BpfMaps maps = Walk();
  EXPECT_THAT(Values(maps, 1),
              ElementsAre(KeyValue("0", "0"), KeyValue("1", "100"), KeyValue("2", "200")));
  EXPECT_EQ(ById(maps, 1).entries, 3);
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfMapTest, AValueOfAStructureIsAnObject) {
  const Kva map =
      bpf_.AddArray({.id = 1, .value_size = 16, .max_entries = 1, .value_type = "point"});
  b().Put<int32_t>(bpf_.ArrayValue(map, 0), -5);
  b().Put<uint8_t>(bpf_.ArrayValue(map, 0) + 4, 1);
  b().PutText(bpf_.ArrayValue(map, 0) + 5, "a\"b");
  EXPECT_THAT(Values(Walk(), 1),
              ElementsAre(KeyValue("0", R"({"x":-5,"set":true,"label":"a\"b"})")));
}

TEST_F(BpfMapTest, WithoutTypesAValueIsItsBytes) {
  const Kva map = bpf_.AddArray({.id = 1, .value_size = 4, .max_entries = 1});
  b().Put<uint32_t>(bpf_.ArrayValue(map, 0), 0x0a0b0c0d);
  EXPECT_THAT(Values(Walk(), 1), ElementsAre(KeyValue("0", R"("0d0c0b0a")")));
}

TEST_F(BpfMapTest, APerCpuArrayHasAValueForEachCpu) {
  const Kva map = bpf_.AddPercpuArray({.id = 2, .max_entries = 2, .value_type = "u64"});
  b().Put<uint64_t>(bpf_.PercpuValue(map, 0, 0), 10);
  b().Put<uint64_t>(bpf_.PercpuValue(map, 0, 1), 11);
  b().Put<uint64_t>(bpf_.PercpuValue(map, 1, 1), 21);
  const BpfMaps maps = Walk();
  EXPECT_THAT(Values(maps, 2), ElementsAre(KeyValue("0@0", "10"), KeyValue("0@1", "11"),
                                           KeyValue("1@0", "0"), KeyValue("1@1", "21")));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfMapTest, AHashHasItsValuesByKey) {
  for (const Type type : {Type::kHash, Type::kLruHash}) {
    const auto id = static_cast<uint32_t>(type);
    const Kva map = bpf_.AddHash(
        type, {.id = id, .max_entries = 16, .key_type = "u32", .value_type = "u64"}, 4);
    b().Put<uint64_t>(bpf_.AddElement(map, 0, 7), 70);
    b().Put<uint64_t>(bpf_.AddElement(map, 3, 8), 80);
    b().Put<uint64_t>(bpf_.AddElement(map, 3, 9), 90);
  }
  const BpfMaps maps = Walk();
  for (const BpfMapRow& row : maps.maps) {
    EXPECT_THAT(Values(maps, row.id),
                ElementsAre(KeyValue("7", "70"), KeyValue("8", "80"), KeyValue("9", "90")));
    EXPECT_EQ(row.entries, 3);
  }
  EXPECT_THAT(maps.maps, SizeIs(2));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfMapTest, APerCpuHashHasAValueForEachCpu) {
  const Kva map = bpf_.AddHash(
      Type::kPercpuHash, {.id = 5, .max_entries = 4, .key_type = "u32", .value_type = "u64"}, 2);
  bpf_.AddElement(map, 1, 42);
  b().Put<uint64_t>(bpf_.PercpuValue(map, 0, 0), 1);
  b().Put<uint64_t>(bpf_.PercpuValue(map, 0, 1), 2);
  const BpfMaps maps = Walk();
  EXPECT_THAT(Values(maps, 5), ElementsAre(KeyValue("42@0", "1"), KeyValue("42@1", "2")));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfMapTest, GlobalVariablesOfAProgramAreByName) {
  const auto size = static_cast<uint32_t>(bpf_.program_types().Section(
      ".bss", {{"u32", "nr_dispatched"}, {"u64", "vtime_now"}, {"char[8]", "mode"}}));
  const Kva map =
      bpf_.AddArray({.id = 3, .value_size = size, .max_entries = 1, .value_type = ".bss"});
  b().Put<uint32_t>(bpf_.ArrayValue(map, 0), 12);
  b().Put<uint64_t>(bpf_.ArrayValue(map, 0) + 8, 3'000'000'000'000);
  b().PutText(bpf_.ArrayValue(map, 0) + 16, "fifo");
  const BpfMaps maps = Walk();
  EXPECT_THAT(Values(maps, 3), ElementsAre(KeyValue(R"("nr_dispatched")", "12"),
                                           KeyValue(R"("vtime_now")", "3000000000000"),
                                           KeyValue(R"("mode")", R"("fifo")")));
  EXPECT_EQ(ById(maps, 3).entries, 1);
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfMapTest, TaskStorageTellsTheTask) {
  const Kva map = bpf_.AddTaskStorage({.id = 4, .value_type = "u64"}, /*bucket_log=*/1);
  const Kva first = sched_.AddProcess({.pid = 31, .comm = "first"});
  const Kva second = sched_.AddProcess({.pid = 32, .comm = "second"});
  b().Put<uint64_t>(bpf_.AddToTask(map, 0, second), 2000);
  b().Put<uint64_t>(bpf_.AddToTask(map, 1, first), 1000);
  const BpfMaps maps = Walk();
  EXPECT_THAT(Values(maps, 4), ElementsAre(KeyValue("32", "2000"), KeyValue("31", "1000")));
  EXPECT_EQ(maps.values[0].pid, 32);
  EXPECT_EQ(maps.values[0].task_kva, Hex(second));
  EXPECT_EQ(maps.values[1].task_kva, Hex(first));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfMapTest, MapsOfMapsNameTheMapsInTheirPlaces) {
  const Kva inner = bpf_.AddArray({.id = 31, .max_entries = 1, .value_type = "u64"});
  const Kva array =
      bpf_.AddIn(Type::kArrayOfMaps, {.id = 1, .value_size = 4, .max_entries = 3}, "bpf_array", 24);
  b().Set("bpf_array", bpf_.ContainerOf(array), "elem_size", 8);
  b().Put(bpf_.ArrayValue(array, 1), inner);
  const Kva hash = bpf_.AddHash(
      Type::kHashOfMaps, {.id = 2, .value_size = 8, .max_entries = 4, .value_type = "u64"}, 1);
  b().Put(bpf_.AddElement(hash, 0, 0x0a), inner);
  const BpfMaps maps = Walk();
  EXPECT_THAT(Values(maps, 1), ElementsAre(KeyValue("1", "31")));
  EXPECT_THAT(Values(maps, 2), ElementsAre(KeyValue(R"("0a000000")", "31")));
  for (const BpfMapValueRow& row : maps.values) {
    EXPECT_EQ(row.inner_map_id, row.map_id == 31 ? std::nullopt : std::optional<int64_t>(31));
  }
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

// A hash of four buckets with two elements each; bucket n has the keys 10 n and 10 n + 1.
class DamagedBpfMapTest : public BpfMapTest {
 protected:
  DamagedBpfMapTest() {
    map_ = bpf_.AddHash(Type::kHash,
                        {.id = 1, .max_entries = 16, .key_type = "u32", .value_type = "u64"}, 4);
    for (uint32_t bucket = 0; bucket < 4; ++bucket) {
      for (uint64_t i = 0; i < 2; ++i) {
        values_.push_back(bpf_.AddElement(map_, bucket, bucket * 10 + i));
      }
    }
    bpf_.Finish();
    sched_.Finish();
  }
  std::vector<std::string> Keys(const BpfMaps& maps) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : Values(maps, 1)) keys.push_back(key);
    return keys;
  }
  BpfMaps WalkDamaged(const BpfMapLimits& limits = {}) {
    auto maps = WalkBpfMaps(guest_.Open(), limits);
    if (maps) return *std::move(maps);
    ADD_FAILURE() << maps.error().ToString();
    return {};
  }

  Kva map_;
  std::vector<Kva> values_;
};

TEST_F(DamagedBpfMapTest, ACycleInABucketCostsNothing) {
  b().Put(bpf_.Link(map_, values_[3]), bpf_.Link(map_, values_[2]));
  const BpfMaps maps = WalkDamaged();
  EXPECT_THAT(Keys(maps), ElementsAre("0", "1", "10", "11", "20", "21", "30", "31"));
  EXPECT_THAT(maps.anomalies, HasAnomaly("cycle", bpf_.Link(map_, values_[2])));
}

TEST_F(DamagedBpfMapTest, AWildPointerCostsOnlyTheRestOfItsBucket) {
  b().Put(bpf_.Link(map_, values_[2]), guest_.Wild());
  const BpfMaps maps = WalkDamaged();
  EXPECT_THAT(Keys(maps), ElementsAre("0", "1", "10", "20", "21", "30", "31"));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(DamagedBpfMapTest, AnUnmappedElementCostsOnlyTheRestOfItsBucket) {
  const Kva unmapped = guest_.Unmapped();
  b().Put(bpf_.Bucket(map_, 2), unmapped);
  const BpfMaps maps = WalkDamaged();
  EXPECT_THAT(Keys(maps), ElementsAre("0", "1", "10", "11", "30", "31"));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unmapped", unmapped));
}

TEST_F(DamagedBpfMapTest, AnElementThatWasLeftOutCostsOnlyTheRestOfItsBucket) {
  guest_.LeaveOut(values_[7]);
  const BpfMaps maps = WalkDamaged();
  EXPECT_THAT(Keys(maps), ElementsAre("0", "1", "10", "11", "20", "21", "30"));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unreadable", bpf_.Link(map_, values_[7])));
}

TEST_F(DamagedBpfMapTest, TheCapOnValuesEndsTheMapAndSaysSo) {
  const BpfMaps maps = WalkDamaged({.max_values_per_map = 5});
  EXPECT_THAT(Keys(maps), SizeIs(5));
  EXPECT_THAT(maps.anomalies, HasAnomaly("cap", map_));
}

TEST_F(DamagedBpfMapTest, ValuesThatAreMoreTextThanAllMayHaveEndTheMap) {
  const BpfMaps maps = WalkDamaged({.max_text = 5});
  EXPECT_LT(maps.values.size(), 8u);
  EXPECT_THAT(maps.anomalies, HasAnomaly("cap", map_));
}

TEST_F(DamagedBpfMapTest, AsManyValuesAsTheCapAreNotOneTooMany) {
  const BpfMaps maps = WalkDamaged({.max_values_per_map = 8});
  EXPECT_THAT(Keys(maps), SizeIs(8));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(DamagedBpfMapTest, ATableWithMoreBucketsThanMemoryHasEndsSoon) {
  b().Set("bpf_htab", map_ - b().MemberOf("bpf_htab", "map").offset, "n_buckets", 0xffffffff);
  const BpfMaps maps = WalkDamaged();
  EXPECT_THAT(Keys(maps), SizeIs(8));
  EXPECT_LT(maps.anomalies.size(), 1000u);
  EXPECT_THAT(maps.anomalies, HasAnomaly("cap", map_));
}

TEST_F(BpfMapTest, APageOfAnArrayThatWasLeftOutIsOneAnomalyAndCostsOnlyItsValues) {
  const Kva map = bpf_.AddArray({.id = 1, .max_entries = 2048, .value_type = "u64"});
  const Kva lost(bpf_.ArrayValue(map, 1024).value() & ~(kPageSize - 1));
  guest_.LeaveOut(lost);
  const BpfMaps maps = Walk();
  EXPECT_THAT(Values(maps, 1), SizeIs(2048 - kPageSize / 8));
  EXPECT_THAT(maps.anomalies, SizeIs(1));
}

TEST_F(BpfMapTest, AValueOfOneCpuThatWasLeftOutCostsNoOtherCpus) {
  const Kva map = bpf_.AddPercpuArray({.id = 2, .max_entries = 1, .value_type = "u64"});
  b().Put<uint64_t>(bpf_.PercpuValue(map, 0, 1), 11);
  // The run queues of a CPU are in its per-CPU area, too, but not in this page.
  guest_.LeaveOut(bpf_.PercpuValue(map, 0, 0));
  const BpfMaps maps = Walk();
  EXPECT_THAT(Values(maps, 2), ElementsAre(KeyValue("0@1", "11")));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unreadable", bpf_.PercpuValue(map, 0, 0)));
}

TEST_F(BpfMapTest, AStorageWhoseTaskWasLeftOutKeepsItsValue) {
  const Kva map = bpf_.AddTaskStorage({.id = 4, .value_type = "u64"}, /*bucket_log=*/0);
  b().Allocate(kPageSize, kPageSize);
  const Kva task = sched_.AddProcess({.pid = 31});
  b().Allocate(kPageSize, kPageSize);
  b().Put<uint64_t>(bpf_.AddToTask(map, 0, task), 1000);
  guest_.LeaveOut(task + b().MemberOf("task_struct", "pid").offset);
  const BpfMaps maps = Walk();
  ASSERT_THAT(maps.values, SizeIs(1));
  EXPECT_EQ(maps.values[0].value, "1000");
  EXPECT_EQ(maps.values[0].pid, std::nullopt);
  EXPECT_EQ(maps.values[0].task_kva, Hex(task));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unreadable", task));
}

TEST_F(BpfMapTest, AnElementThatIsBeingFreedHasNoTask) {
  const Kva map = bpf_.AddTaskStorage({.id = 4, .value_type = "u64"}, /*bucket_log=*/0);
  const Kva value = bpf_.AddToTask(map, 0, sched_.AddProcess({.pid = 31}));
  const Kva element = value - b().MemberOf("bpf_local_storage_elem", "sdata.data").offset;
  b().Set("bpf_local_storage_elem", element, "local_storage", 0);
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values, IsEmpty());
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfMapTest, TypesThatCannotBeReadLeaveValuesAsBytes) {
  const Kva map = bpf_.AddArray({.id = 1, .max_entries = 1, .value_type = "u64"});
  b().Put<uint64_t>(bpf_.ArrayValue(map, 0), 1);
  b().Set("bpf_map", map, "btf", guest_.Wild().value());
  const BpfMaps maps = Walk();
  EXPECT_THAT(Values(maps, 1), ElementsAre(KeyValue("0", R"("0100000000000000")")));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(BpfMapTest, TypesThatAreBasedOnThemselvesHaveAnEnd) {
  const Kva map =
      bpf_.AddArray({.id = 1, .max_entries = 1, .key_type = "int", .value_type = "point"});
  const Kva btf = b().Allocate(b().SizeOf("btf"));
  sched_.Finish();
  bpf_.Finish();
  // Its own base, and one of many that are based on each other.
  std::vector<Kva> chain = {btf};
  for (int i = 0; i < 100; ++i) chain.push_back(b().Allocate(b().SizeOf("btf")));
  chain.push_back(chain.back());
  const auto types = bpf_.program_types().Build();
  const Kva data = b().Allocate(types.size());
  b().PutBytes(data, types);
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    b().Set("btf", chain[i], "data", data.value());
    b().Set("btf", chain[i], "data_size", types.size());
    b().Set("btf", chain[i], "base_btf", chain[i + 1].value());
  }
  b().Set("bpf_map", map, "btf", btf.value());
  const auto maps = WalkBpfMaps(guest_.Open());
  ASSERT_TRUE(maps);
  EXPECT_THAT(maps->maps, SizeIs(1));
  EXPECT_THAT(maps->anomalies, HasAnomaly("damage", chain[4]));
}

}  // namespace
}  // namespace ktstr

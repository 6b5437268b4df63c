// Queues, ring buffers, tries and arenas in memory that is damaged; what they hold in real kernels,
// bpf_map_guest_test.cc tells.
#include "fixtures/synthetic/bpf_builder.h"
#include "fixtures/synthetic/sched_builder.h"
#include "libcore/walk/bpf/map.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using synthetic::BpfBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Type = BpfBuilder::Type;

class BpfRingTest : public ::testing::Test {
 protected:
  synthetic::KernelBuilder& b() { return guest_.builder(); }

  BpfMaps Walk(const BpfMapLimits& limits = {}) {
    sched_.Finish();
    bpf_.Finish();
    auto maps = WalkBpfMaps(guest_.Open(), limits);
    if (maps) return *std::move(maps);
    ADD_FAILURE() << maps.error().ToString();
    return {};
  }
  static std::vector<std::string> Values(const BpfMaps& maps) {
    std::vector<std::string> values;
    for (const BpfMapValueRow& row : maps.values) values.push_back(row.value);
    return values;
  }

  // A queue of u64 with a ring of five.
  Kva AddQueue(uint64_t head, uint64_t tail) {
    b().types().Struct("bpf_queue_stack", {{"bpf_map", "map"},
                                           {"u32", "head"},
                                           {"u32", "tail"},
                                           {"u32", "size"},
                                           {"u64[0]", "elements"}});
    const Kva map =
        bpf_.AddIn(Type::kQueue, {.id = 1, .key_size = 0, .max_entries = 4, .value_type = "u64"},
                   "bpf_queue_stack", 40);
    const Kva queue = bpf_.ContainerOf(map);
    b().Set("bpf_queue_stack", queue, "head", head);
    b().Set("bpf_queue_stack", queue, "tail", tail);
    b().Set("bpf_queue_stack", queue, "size", 5);
    const Kva elements = queue + b().MemberOf("bpf_queue_stack", "elements").offset;
    for (uint64_t i = 0; i < 5; ++i) b().Put<uint64_t>(elements + i * 8, 10 * i);
    return map;
  }

  // A ring buffer of a page of data, which is mapped once only.
  Kva AddRing(uint64_t consumer, uint64_t producer) {
    b().types().Struct(
        "bpf_ringbuf",
        {{"u64", "mask"}, {"u64", "consumer_pos"}, {"u64", "producer_pos"}, {"char[0]", "data"}});
    b().types().Struct("bpf_ringbuf_map", {{"bpf_ringbuf *", "rb"}, {"bpf_map", "map"}});
    const Kva map = bpf_.AddIn(Type::kRingBuffer,
                               {.id = 1, .key_size = 0, .value_size = 0, .max_entries = 4096},
                               "bpf_ringbuf_map", 0);
    const Kva ring = b().AllocateVmalloc(b().SizeOf("bpf_ringbuf") + kPageSize);
    b().Set("bpf_ringbuf_map", bpf_.ContainerOf(map), "rb", ring.value());
    b().Set("bpf_ringbuf", ring, "mask", 4095);
    b().Set("bpf_ringbuf", ring, "consumer_pos", consumer);
    b().Set("bpf_ringbuf", ring, "producer_pos", producer);
    ring_ = ring;
    return ring + b().MemberOf("bpf_ringbuf", "data").offset;
  }

  WalkGuest guest_;
  synthetic::SchedBuilder sched_{guest_.builder()};
  BpfBuilder bpf_{guest_.builder()};
  Kva ring_;  // the struct bpf_ringbuf, where there is one
};

TEST_F(BpfRingTest, AQueueThatWentRoundIsReadInItsOrder) {
  AddQueue(/*head=*/1, /*tail=*/3);
  const BpfMaps maps = Walk();
  EXPECT_THAT(Values(maps), ElementsAre("30", "40", "0"));
  EXPECT_EQ(maps.maps.at(0).entries, 3);
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfRingTest, AQueueWhoseHeadLiesBehindItsEndHasNoEntriesToTell) {
  const Kva map = AddQueue(/*head=*/5, /*tail=*/3);
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values, IsEmpty());
  EXPECT_EQ(maps.maps.at(0).entries, std::nullopt);
  EXPECT_THAT(maps.anomalies, HasAnomaly("damage", bpf_.ContainerOf(map)));
}

TEST_F(BpfRingTest, ARecordSaysWhetherItIsWhole) {
  const Kva data = AddRing(/*consumer=*/8192, /*producer=*/8192 + 16 + 16 + 16);
  for (uint32_t i = 0; i < 3; ++i) b().Put<uint32_t>(data + i * 16, 4 | i << 30);
  EXPECT_THAT(Values(Walk()),
              ElementsAre(R"({"state":"unread","size":4,"bytes":"00000000"})",
                          R"({"state":"discarded","size":4,"bytes":"00000000"})",
                          R"({"state":"being written","size":4,"bytes":"00000000"})"));
}

TEST_F(BpfRingTest, ARecordThatReachesBehindItsEndEndsTheRing) {
  const Kva data = AddRing(/*consumer=*/0, /*producer=*/32);
  b().Put<uint32_t>(data, 8);
  b().Put<uint32_t>(data + 16, 4000);
  const BpfMaps maps = Walk();
  EXPECT_EQ(maps.values.size(), 1u);
  EXPECT_EQ(maps.maps.at(0).entries, std::nullopt);
  EXPECT_THAT(maps.anomalies, HasAnomaly("damage", data + 16));
}

TEST_F(BpfRingTest, ARecordOfASizeThatNoneHasIsDamage) {
  constexpr uint32_t kSize = 256 << 20;
  const Kva data = AddRing(/*consumer=*/0, /*producer=*/kSize + 8);
  b().Set("bpf_ringbuf", ring_, "mask", (1 << 30) - 1);
  b().Put<uint32_t>(data, kSize);
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values, IsEmpty());
  EXPECT_THAT(maps.anomalies, HasAnomaly("damage", data));
}

TEST_F(BpfRingTest, PositionsFurtherApartThanTheRingAreDamage) {
  AddRing(/*consumer=*/0, /*producer=*/8192);
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values, IsEmpty());
  EXPECT_EQ(maps.anomalies.at(0).kind, "damage");
}

class BpfTrieTest : public BpfRingTest {
 protected:
  BpfTrieTest() {
    b().types().Struct(
        "lpm_trie_node",
        {{"void *[2]", "child"}, {"u32", "prefixlen"}, {"u32", "flags"}, {"u8[0]", "data"}});
    b().types().Struct("lpm_trie", {{"bpf_map", "map"}, {"lpm_trie_node *", "root"}});
  }
  void AddTrie(Kva root) {
    const Kva map = bpf_.AddIn(
        Type::kLpmTrie, {.id = 1, .key_size = 5, .value_size = 8, .max_entries = 4}, "lpm_trie", 0);
    b().Set("lpm_trie", bpf_.ContainerOf(map), "root", root.value());
  }
  // One that only leads on.
  Kva NewNode() {
    const Kva node = b().Allocate(64);
    b().Set("lpm_trie_node", node, "flags", 1);
    return node;
  }
};

TEST_F(BpfTrieTest, ANodeThatIsReachedTwiceEndsThere) {
  const Kva root = NewNode(), leaf = b().Allocate(64);
  AddTrie(root);
  b().Set("lpm_trie_node", leaf, "prefixlen", 3);
  b().Put(root, leaf);
  b().Put(root + 8, leaf);
  b().Put(leaf, root);
  const Kva data = leaf + b().MemberOf("lpm_trie_node", "data").offset;
  b().Put<uint8_t>(data, 0xe0);
  b().Put<uint64_t>(data + 1, 7);
  const BpfMaps maps = Walk();
  ASSERT_EQ(maps.values.size(), 1u);
  EXPECT_EQ(maps.values[0].key, R"("03000000e0")");
  EXPECT_EQ(maps.values[0].value, R"("0700000000000000")");
  EXPECT_EQ(maps.maps.at(0).entries, 1);
  EXPECT_THAT(maps.anomalies, HasAnomaly("damage", root));
  EXPECT_THAT(maps.anomalies, HasAnomaly("damage", leaf));
}

TEST_F(BpfTrieTest, NodesThatOnlyLeadOnHaveALimitToo) {
  std::vector<Kva> nodes;
  for (int i = 0; i < 64; ++i) nodes.push_back(NewNode());
  for (size_t i = 1; i < nodes.size(); ++i) b().Put(nodes[i - 1], nodes[i]);
  AddTrie(nodes[0]);
  const BpfMaps maps = Walk({.walk = {.max_all_nodes = 40}});
  EXPECT_EQ(maps.maps.at(0).entries, std::nullopt);
  ASSERT_EQ(maps.anomalies.size(), 1u) << ToText(maps.anomalies);
  EXPECT_EQ(maps.anomalies[0].kind, "cap");
}

}  // namespace
}  // namespace ktstr

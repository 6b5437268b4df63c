// Special fields of BPF values on synthetic kernels: what each is shown as, and what damage costs.
#include <fmt/format.h>

#include "fixtures/synthetic/bpf_builder.h"
#include "fixtures/synthetic/bpf_prog_builder.h"
#include "fixtures/synthetic/container_builder.h"
#include "fixtures/synthetic/sched_builder.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/bpf/special_fields.h"
#include "libcore/walk/value/value_text.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using synthetic::BpfBuilder;
using synthetic::BpfProgBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kLock[] = R"("lock":{"locked":false})";
constexpr char kNoTimer[] = R"("timer":{"armed":false})";
constexpr char kNoItems[] = R"("items":{"elements":0,"type":"item","member":"link"})";
constexpr char kNoLeaves[] = R"("leaves":{"elements":0,"type":"leaf","member":"node"})";
constexpr char kNoTask[] = R"("task":{"address":null,"type":"task_struct"})";

// An array map with one value, which has a lock, a timer, a list, a tree and a kptr.
class BpfSpecialFieldsTest : public ::testing::Test {
 protected:
  BpfSpecialFieldsTest() {
    DefineKernelTypes();
    auto& t = bpf_.program_types();
    t.Struct("bpf_spin_lock", {{"u32", "val"}});
    t.Struct("bpf_timer", {{"u64[2]", "__opaque"}});
    t.Struct("bpf_list_head", {{"u64[2]", "__opaque"}});
    t.Struct("bpf_list_node", {{"u64[3]", "__opaque"}});
    t.Struct("bpf_rb_root", {{"u64[2]", "__opaque"}});
    t.Struct("bpf_rb_node", {{"u64[4]", "__opaque"}});
    t.Struct("task_struct", {{"int", "unused"}});
    t.Struct("item", {{"u64", "number"}, {"bpf_list_node", "link"}});
    t.Struct("leaf", {{"u64", "number"}, {"bpf_rb_node", "node"}});
    const auto size =
        static_cast<uint32_t>(t.Struct("value", {{"bpf_spin_lock", "lock"},
                                                 {"bpf_timer", "timer"},
                                                 {"bpf_list_head", "items", "contains:item:link"},
                                                 {"bpf_rb_root", "leaves", "contains:leaf:node"},
                                                 {"@kptr task_struct *", "task"}}));
    map_ = bpf_.AddArray(
        {.id = 1, .name = "values", .value_size = size, .max_entries = 1, .value_type = "value"});
  }

  void DefineKernelTypes() {
    auto& t = b().types();
    synthetic::DefineTreeTypes(t);
    t.Struct("hrtimer_clock_base", {{"u32", "index"}, {"void *", "running"}});
    t.Enum("hrtimer_base_type", {{"HRTIMER_BASE_REALTIME", 0}, {"HRTIMER_BASE_MONOTONIC", 1}});
    t.Struct("timer_node", {{"rb_node", "node"}, {"s64", "expires"}});
    t.Struct("hrtimer",
             {{"hrtimer_clock_base *", "base"}, {"u8", "state"}, {"timer_node", "node"}});
    t.Struct("bpf_async_cb", {{"void *", "callback_fn"}, {"void *", "prog"}});
    t.Struct("bpf_hrtimer", {{"u64", "before"}, {"bpf_async_cb", "cb"}, {"hrtimer", "timer"}});
    t.Struct("bpf_async_kern", {{"bpf_async_cb *", "cb"}, {"u32", "lock"}});
    t.Struct("bpf_list_node_kern", {{"u64[2]", "list_head"}, {"void *", "owner"}});
    t.Struct("bpf_rb_node_kern", {{"rb_node", "rb_node"}, {"void *", "owner"}});
  }

  synthetic::KernelBuilder& b() { return guest_.builder(); }
  // Where a member of the one value stands; those of the program's types are laid out likewise in
  // every kernel.
  Kva At(std::string_view member) {
    const TypeInfo types = TypeInfo::Parse(bpf_.program_types().Build()).value();
    return bpf_.ArrayValue(map_, 0) + types.FindMember("value", member).value().offset;
  }
  // An object of the program's with that number, in a page of its own.
  Kva NewObject(uint64_t number) {
    const Kva object = b().Allocate(64, kPageSize);
    b().Put<uint64_t>(object, number);
    return object;
  }
  // Objects in the value's list, in this order.
  std::vector<Kva> AddItems(const std::vector<uint64_t>& numbers) {
    std::vector<Kva> objects, links;
    for (const uint64_t number : numbers) {
      objects.push_back(NewObject(number));
      links.push_back(objects.back() + 8);
      b().Put(links.back() + 16, At("items"));
    }
    b().LinkList(At("items"), links);
    return objects;
  }
  // A timer behind the value's; returns the struct bpf_hrtimer.
  Kva AddTimer(bool armed, int64_t expires) {
    const Kva timer = b().Allocate(b().SizeOf("bpf_hrtimer"));
    const Kva base = b().Allocate(b().SizeOf("hrtimer_clock_base"));
    b().Set("hrtimer_clock_base", base, "index", 1);
    b().Set("bpf_hrtimer", timer, "timer.base", base.value());
    b().Set("bpf_hrtimer", timer, "timer.state", armed);
    b().Set("bpf_hrtimer", timer, "timer.node.expires", static_cast<uint64_t>(expires));
    b().Set("bpf_hrtimer", timer, "cb.callback_fn", b().Text("expired").value());
    b().Set("bpf_hrtimer", timer, "cb.prog",
            programs_.AddProgram({.id = 9, .name = "fill"}).value());
    b().Put(At("timer"), timer);
    return timer;
  }

  BpfMaps Walk(const BpfMapLimits& limits = {}) {
    Finish();
    auto maps = WalkBpfMaps(guest_.Open(), limits);
    if (maps) return *std::move(maps);
    ADD_FAILURE() << maps.error().ToString();
    return {};
  }
  void Finish() {
    sched_.Finish();
    bpf_.Finish();
    programs_.Finish();
  }
  static std::vector<std::string> Elements(const BpfMaps& maps) {
    std::vector<std::string> texts;
    for (const BpfElementRow& row : maps.elements) {
      texts.push_back(fmt::format("{} {} {} {}", row.container, row.position, row.type,
                                  row.value.value_or("unknown")));
    }
    return texts;
  }
  std::string Linked(uint64_t number) {
    return fmt::format(R"({{"number":{},"link":{{"in":"{}"}}}})", number, ToText(Hex(At("items"))));
  }

  WalkGuest guest_;
  synthetic::SchedBuilder sched_{guest_.builder()};
  BpfBuilder bpf_{guest_.builder()};
  BpfProgBuilder programs_{guest_.builder()};
  Kva map_;
};

TEST_F(BpfSpecialFieldsTest, OfAnUnusedValueAreAllEmpty) {
  const BpfMaps maps = Walk();
  ASSERT_THAT(maps.values, SizeIs(1));
  EXPECT_EQ(maps.values[0].value,
            fmt::format("{{{},{},{},{},{}}}", kLock, kNoTimer, kNoItems, kNoLeaves, kNoTask));
  EXPECT_THAT(maps.elements, IsEmpty());
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfSpecialFieldsTest, ALockIsLockedWhenItsWordIsNotZero) {
  b().Put<uint32_t>(At("lock"), 1);
  EXPECT_THAT(Walk().values[0].value, HasSubstr(R"("lock":{"locked":true})"));
}

TEST_F(BpfSpecialFieldsTest, AnArmedTimerSaysWhenItExpiresAndWhatItCalls) {
  AddTimer(/*armed=*/true, 3'600'000'000'000);
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values[0].value,
              HasSubstr(R"("timer":{"armed":true,"expires_ns":3600000000000,"base":"monotonic",)"
                        R"("callback":"expired","program":"fill"})"));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfSpecialFieldsTest, ATimerThatIsNotArmedHasNoTime) {
  AddTimer(/*armed=*/false, 3'600'000'000'000);
  EXPECT_THAT(Walk().values[0].value, HasSubstr(R"("timer":{"armed":false,"base":"monotonic",)"));
}

TEST_F(BpfSpecialFieldsTest, ATimerWhoseCallbackRunsSaysSo) {
  const Kva timer = AddTimer(/*armed=*/false, 1);
  const Kva hrtimer = timer + b().MemberOf("bpf_hrtimer", "timer").offset;
  const Kva base = b().Allocate(b().SizeOf("hrtimer_clock_base"));
  b().Set("hrtimer_clock_base", base, "running", hrtimer.value());
  b().Set("bpf_hrtimer", timer, "timer.base", base.value());
  EXPECT_THAT(Walk().values[0].value,
              HasSubstr(R"("timer":{"armed":false,"base":"realtime","running":true,)"));
}

TEST_F(BpfSpecialFieldsTest, ATimerThatCannotBeReadSaysWhyAndIsAnAnomaly) {
  b().Put(At("timer"), guest_.Wild());
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values[0].value, HasSubstr(R"("timer":{"damage":"reading a BPF timer: )"));
  // What follows it has nothing to do with that.
  EXPECT_THAT(maps.values[0].value, HasSubstr(kNoItems));
  EXPECT_THAT(maps.values[0].value, HasSubstr(kNoTask));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(BpfSpecialFieldsTest, ElementsOfAListAreRowsInItsOrder) {
  AddItems({33, 11, 22});
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values[0].value,
              HasSubstr(R"("items":{"elements":3,"type":"item","member":"link"})"));
  EXPECT_THAT(Elements(maps), ElementsAre("list 0 item " + Linked(33), "list 1 item " + Linked(11),
                                          "list 2 item " + Linked(22)));
  EXPECT_EQ(maps.elements[0].map_id, 1);
  EXPECT_EQ(maps.elements[0].key, "0");
  EXPECT_EQ(maps.elements[0].head_kva, Hex(At("items")));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfSpecialFieldsTest, ElementsOfATreeAreRowsInItsOrder) {
  std::vector<Kva> nodes;
  for (const uint64_t number : {10, 20, 30}) nodes.push_back(NewObject(number) + 8);
  LinkRbTree(b(), At("leaves"), nodes);
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values[0].value,
              HasSubstr(R"("leaves":{"elements":3,"type":"leaf","member":"node"})"));
  EXPECT_THAT(Elements(maps), ElementsAre(R"(rbtree 0 leaf {"number":10,"node":{"in":null}})",
                                          R"(rbtree 1 leaf {"number":20,"node":{"in":null}})",
                                          R"(rbtree 2 leaf {"number":30,"node":{"in":null}})"));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfSpecialFieldsTest, AnObjectOnItsWayIntoAListSaysSo) {
  const auto items = AddItems({11});
  b().Put<uint64_t>(items[0] + 24, 0xdead00000000eb9f);
  EXPECT_THAT(Elements(Walk()), ElementsAre(R"(list 0 item {"number":11,"link":{"in":"moving"}})"));
}

TEST_F(BpfSpecialFieldsTest, AListAmongGlobalVariablesHasItsElements) {
  auto& t = bpf_.program_types();
  const auto size = static_cast<uint32_t>(
      t.Section(".bss.guarded", {{"bpf_list_head", "queue", "contains:item:link"}}));
  const Kva map =
      bpf_.AddArray({.id = 2, .value_size = size, .max_entries = 1, .value_type = ".bss.guarded"});
  b().LinkList(bpf_.ArrayValue(map, 0), {NewObject(7) + 8});
  const BpfMaps maps = Walk();
  ASSERT_THAT(maps.elements, SizeIs(1));
  EXPECT_EQ(maps.elements[0].map_id, 2);
  EXPECT_EQ(maps.elements[0].key, R"("queue")");
  EXPECT_EQ(maps.elements[0].value, R"({"number":7,"link":{"in":null}})");
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfSpecialFieldsTest, AListInAnElementOfAListIsWalkedBehindIt) {
  auto& t = bpf_.program_types();
  t.Struct("outer", {{"bpf_list_node", "link"}, {"bpf_list_head", "inner", "contains:item:link"}});
  t.Struct("holder", {{"bpf_list_head", "outers", "contains:outer:link"}});
  const Kva map =
      bpf_.AddArray({.id = 2, .value_size = 16, .max_entries = 1, .value_type = "holder"});
  const Kva outer = b().Allocate(64, kPageSize);
  b().LinkList(bpf_.ArrayValue(map, 0), {outer});
  b().LinkList(outer + 24, {NewObject(7) + 8});
  EXPECT_THAT(Elements(Walk()),
              ElementsAre(R"(list 0 outer {"link":{"in":null},)"
                          R"("inner":{"elements":1,"type":"item","member":"link"}})",
                          R"(list 0 item {"number":7,"link":{"in":null}})"));
}

TEST_F(BpfSpecialFieldsTest, AListThatHoldsItselfEnds) {
  auto& t = bpf_.program_types();
  t.Struct("self", {{"bpf_list_node", "link"}, {"bpf_list_head", "inner", "contains:self:link"}});
  t.Struct("holder", {{"bpf_list_head", "selves", "contains:self:link"}});
  const Kva map =
      bpf_.AddArray({.id = 2, .value_size = 16, .max_entries = 1, .value_type = "holder"});
  const Kva self = b().Allocate(64, kPageSize);
  b().LinkList(bpf_.ArrayValue(map, 0), {self});
  // The element's own list leads to the element.
  b().Put(self + 24, self);
  b().Put(self + 32, self);
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.anomalies, HasAnomaly("damage", self + 24));
  EXPECT_LT(maps.elements.size(), 10u);
}

TEST_F(BpfSpecialFieldsTest, ACycleInAListEndsItAndIsToldInTheValueToo) {
  const auto items = AddItems({33, 11, 22});
  b().Put(items[2] + 8, items[1] + 8);  // the last one's next
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values[0].value, HasSubstr(R"("items":{"elements":3,"type":"item",)"
                                              R"("member":"link","damage":"the BPF list at 0x)"));
  EXPECT_THAT(maps.elements, SizeIs(3));
  EXPECT_THAT(maps.anomalies, HasAnomaly("cycle", items[1] + 8));
}

TEST_F(BpfSpecialFieldsTest, AListWithAWildPointerHasTheElementsBeforeAndBehindIt) {
  const auto items = AddItems({33, 11, 22});
  b().Put(items[0] + 8, guest_.Wild());
  const BpfMaps maps = Walk();
  EXPECT_THAT(Elements(maps), ElementsAre("list 0 item " + Linked(33), "list 1 item " + Linked(11),
                                          "list 2 item " + Linked(22)));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(BpfSpecialFieldsTest, AnElementThatWasLeftOutEndsTheList) {
  const auto items = AddItems({33, 11, 22});
  guest_.LeaveOut(items[1]);
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values[0].value, HasSubstr(R"("items":{"elements":2,)"));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unreadable", items[1] + 8));
}

TEST_F(BpfSpecialFieldsTest, ATreeWithAWildPointerKeepsTheRest) {
  std::vector<Kva> nodes;
  for (const uint64_t number : {10, 20, 30}) nodes.push_back(NewObject(number) + 8);
  LinkRbTree(b(), At("leaves"), nodes);
  b().Set("rb_node", nodes[1], "rb_left", guest_.Wild().value());
  const BpfMaps maps = Walk();
  EXPECT_THAT(Elements(maps), ElementsAre(R"(rbtree 0 leaf {"number":20,"node":{"in":null}})",
                                          R"(rbtree 1 leaf {"number":30,"node":{"in":null}})"));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(BpfSpecialFieldsTest, TheCapOnValuesIsOneOnElementsToo) {
  AddItems({1, 2, 3, 4, 5});
  const BpfMaps maps = Walk({.max_values_per_map = 3});
  EXPECT_THAT(maps.values[0].value, HasSubstr(R"("items":{"elements":5,)"));
  EXPECT_THAT(maps.elements, SizeIs(3));
  EXPECT_THAT(maps.anomalies, HasAnomaly("cap", At("items")));
}

TEST_F(BpfSpecialFieldsTest, AKptrToAThreadSaysWhichThreadThatIs) {
  const Kva task = sched_.AddProcess({.pid = 31, .comm = "first"});
  b().Put(At("task"), task);
  const BpfMaps maps = Walk();
  EXPECT_THAT(maps.values[0].value,
              HasSubstr(fmt::format(
                  R"("task":{{"address":"{}","type":"task_struct","pid":31,"comm":"first"}})",
                  ToText(Hex(task)))));
  EXPECT_THAT(maps.anomalies, NoAnomalies());
}

TEST_F(BpfSpecialFieldsTest, AKptrThatLeadsNowhereKeepsItsAddress) {
  b().Put(At("task"), guest_.Wild());
  const BpfMaps maps = Walk();
  EXPECT_THAT(
      maps.values[0].value,
      HasSubstr(R"("task":{"address":"0xdead000000000100","type":"task_struct","damage":")"));
  EXPECT_THAT(maps.anomalies, HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(BpfSpecialFieldsTest, AreInTextLikewise) {
  AddItems({33});
  Finish();
  Anomalies anomalies("test");
  const ktstr::Walk walk = guest_.Begin(anomalies);
  BpfSpecialFields special(walk);
  const TypeInfo types = TypeInfo::Parse(bpf_.program_types().Build()).value();
  const auto place =
      WholeObject(types, types.FindStruct("value").value(), bpf_.ArrayValue(map_, 0)).value();
  EXPECT_EQ(ValueText(walk.kernel, types, place, {.symbolize = {}, .special = &special}),
            R"({
  lock = {
    locked = false
  }
  timer = {
    armed = false
  }
  items = {
    elements = 1
    type = "item"
    member = "link"
  }
  leaves = {
    elements = 0
    type = "leaf"
    member = "node"
  }
  task = {
    address = null
    type = "task_struct"
  }
}
)");
}

}  // namespace
}  // namespace ktstr

// Special fields of BPF values on real kernels: what special_fields.bpf.c left behind in its maps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "fixtures/sample/temporary_directory.h"
#include "frozen_guest.h"
#include "guest_tests.h"
#include "libcore/walk/bpf/map.h"
#include "walked_maps.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr int64_t kHourNs = 3'600'000'000'000;

class SpecialFieldsGuestTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    MachineOptions options;
    options.kernel = AnyKernel(GetParam());
    options.files = {{KTSTR_SPECIAL_FIELDS_USER, "/special_fields_user", 0755},
                     {KTSTR_SPECIAL_FIELDS, "/special_fields.bpf.o"}};
    auto machine = BootWithWork(options, "sleep:1");
    ASSERT_OK(machine);
    const auto ran = (*machine)->RunProgram({"/special_fields_user", "/special_fields.bpf.o"}, "");
    ASSERT_OK(ran);
    ASSERT_EQ((*ran)["status"], 0) << (*ran)["stdout"].get<std::string>();
    int returned = -1;
    std::istringstream((*ran)["stdout"].get<std::string>()) >> returned >> before_ns_ >> after_ns_;
    ASSERT_EQ(returned, 0) << "a line of special_fields.bpf.c says at which step";
    auto guest = FrozenGuest::Freeze(**machine, directory_ / "fields.kts");
    ASSERT_OK(guest);
    machine_ = *std::move(machine);
    guest_ = *std::move(guest);
    WalkMaps(*guest_, &maps_);
  }

  int64_t Id(const std::string& map) const {
    for (const BpfMapRow& row : maps_.maps) {
      if (row.name == map) return row.id;
    }
    ADD_FAILURE() << "no map " << map;
    return 0;
  }
  json Value(const std::string& map, const std::string& key) const {
    for (const BpfMapValueRow& row : maps_.values) {
      if (row.map_id == Id(map) && row.key == key) return json::parse(row.value);
    }
    ADD_FAILURE() << "no value " << key << " in " << map;
    return {};
  }
  // The elements of the list or tree that is that member of value 0, by that number of theirs.
  std::vector<int> Elements(const std::string& container, const std::string& type,
                            const std::string& number) const {
    std::vector<int> numbers;
    for (const BpfElementRow& row : maps_.elements) {
      if (row.map_id != Id("s_values") || row.container != container || row.type != type) continue;
      EXPECT_EQ(row.key, "0");
      EXPECT_EQ(row.position, static_cast<int64_t>(numbers.size()));
      numbers.push_back(json::parse(row.value.value())[number].get<int>());
    }
    return numbers;
  }

  void ExpectTimersAndWork();
  void ExpectListsAndTrees();
  void ExpectKptrs();

  TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  std::unique_ptr<FrozenGuest> guest_;
  int64_t before_ns_ = 0, after_ns_ = 0;
  BpfMaps maps_;
};

void SpecialFieldsGuestTest::ExpectTimersAndWork() {
  json timer = Value("s_values", "0")["timer"];
  const auto expires = timer["expires_ns"].get<int64_t>();
  EXPECT_GE(expires, before_ns_ + kHourNs);
  EXPECT_LE(expires, after_ns_ + kHourNs);
  timer.erase("expires_ns");
  EXPECT_EQ(timer, json::parse(R"({"armed":true,"base":"monotonic_soft","callback":"expired",
                                   "program":"fill"})"));
  // To cancel it takes its callback away.
  EXPECT_EQ(Value("s_values", "1")["timer"],
            json::parse(R"({"armed":false,"base":"monotonic_soft","callback":null,
                            "program":null})"));
  EXPECT_EQ(Value("s_values", "2")["timer"], json::parse(R"({"armed":false})"));
  EXPECT_EQ(Value("s_values", "0")["work"],
            json::parse(R"({"pending":false,"callback":"worked","program":"fill"})"));
  EXPECT_EQ(Value("s_values", "1")["work"], json::parse(R"({"pending":false})"));
}

void SpecialFieldsGuestTest::ExpectListsAndTrees() {
  const json value = Value("s_values", "0");
  EXPECT_EQ(value["lock"], json::parse(R"({"locked":false})"));
  EXPECT_EQ(value["plain"], 4711);
  EXPECT_EQ(value["items"], json::parse(R"({"elements":2,"type":"item","member":"link"})"));
  EXPECT_EQ(value["leaves"], json::parse(R"({"elements":3,"type":"leaf","member":"node"})"));
  EXPECT_EQ(value["also_leaves"], json::parse(R"({"elements":3,"type":"leaf","member":"link"})"));
  EXPECT_THAT(Elements("list", "item", "number"), ElementsAre(11, 22));
  EXPECT_THAT(Elements("rbtree", "leaf", "key"), ElementsAre(10, 20, 30));
  EXPECT_THAT(Elements("list", "leaf", "key"), ElementsAre(30, 10, 20));
  EXPECT_EQ(Value("s_values", "2")["items"]["elements"], 0);
  EXPECT_EQ(Value("s_values", "2")["leaves"]["elements"], 0);

  const auto global =
      std::ranges::find(maps_.elements, std::string("\"s_items\""), &BpfElementRow::key);
  ASSERT_NE(global, maps_.elements.end());
  EXPECT_EQ(json::parse(global->value.value())["number"], 33);
  // Every object says which list and which tree it is in.
  for (const BpfElementRow& row : maps_.elements) {
    const json element = json::parse(row.value.value());
    const json link = element[row.container == "rbtree" ? "node" : "link"];
    EXPECT_EQ(link["in"], ToText(row.head_kva)) << *row.value;
    if (row.type == "leaf") {
      EXPECT_EQ(element["refs"]["references"], 2) << *row.value;
    }
  }
}

void SpecialFieldsGuestTest::ExpectKptrs() {
  json value = Value("s_values", "0");
  for (const char* name : {"task", "cpus", "counts"}) {
    EXPECT_THAT(value[name]["address"].get<std::string>(), testing::StartsWith("0x")) << name;
    value[name].erase("address");
  }
  EXPECT_EQ(value["task"], json::parse(R"({"type":"task_struct","pid":1,"comm":"ktstr-init"})"));
  EXPECT_EQ(value["cpus"], json::parse(R"({"type":"bpf_cpumask","cpus":"1"})"));
  EXPECT_EQ(value["counts"], json::parse(R"({"type":"counts","percpu":true})"));
  EXPECT_EQ(Value("s_values", "2")["task"],
            json::parse(R"({"address":null,"type":"task_struct"})"));
}

// One guest for all of it.
TEST_P(SpecialFieldsGuestTest, AreShownAsWhatTheyAre) {
  ExpectTimersAndWork();
  ExpectListsAndTrees();
  ExpectKptrs();
}

INSTANTIATE_TEST_SUITE_P(Kernels, SpecialFieldsGuestTest,
                         testing::ValuesIn(OwnAndOtherKernels({"6.12"}, {"newest-6", "newest-7"})),
                         [](const auto& test) { return KernelTestName(test.param); });

}  // namespace
}  // namespace ktstr

// BPF maps of the kinds that hold more than a table, on real kernels: what bpf_user put into them,
// and the memory that the guest's kernel says they take.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "fixtures/sample/temporary_directory.h"
#include "frozen_guest.h"
#include "guest_tests.h"
#include "libcore/walk/bpf/arena_pointers.h"
#include "libcore/walk/bpf/map.h"
#include "walked_maps.h"

namespace ktstr {
namespace {

using synthetic::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

using KeyValue = std::pair<std::string, std::string>;

class BpfMapGuestTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    MachineOptions options;
    options.kernel = AnyKernel(GetParam());
    options.files = {{KTSTR_BPF_USER, "/bpf_user", 0755}};
    options.kernel_cmdline = "lsm=bpf";  // for storage of inodes
    auto machine = BootWithWork(options, "sleep:1");
    ASSERT_OK(machine);
    const auto ran = (*machine)->RunProgram({"/bpf_user"}, "");
    ASSERT_OK(ran);
    ASSERT_EQ((*ran)["status"], 0) << ran->dump();
    std::istringstream lines((*ran)["stdout"].get<std::string>());
    for (std::string name, first, second; lines >> name >> first >> second;) {
      told_[name] = {std::stoull(first), std::stoll(second)};
    }
    auto guest = FrozenGuest::Freeze(**machine, directory_ / "maps.kts");
    ASSERT_OK(guest);
    machine_ = *std::move(machine);
    guest_ = *std::move(guest);
    WalkMaps(*guest_, &maps_);
  }

  void ExpectValues();
  void ExpectArenaPages();
  void ExpectArenaPointers();

  const BpfMapRow& Map(const std::string& name) {
    const auto found = std::ranges::find_if(maps_.maps, [&](const BpfMapRow& row) {
      return row.id == static_cast<int64_t>(told_[name].first);
    });
    if (found != maps_.maps.end()) return *found;
    ADD_FAILURE() << "no map " << name;
    static const BpfMapRow none;
    return none;
  }
  std::vector<KeyValue> Values(const std::string& name) {
    std::vector<KeyValue> values;
    for (const BpfMapValueRow& row : maps_.values) {
      if (row.map_id == Map(name).id) values.emplace_back(row.key, row.value);
    }
    return values;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  std::unique_ptr<FrozenGuest> guest_;
  std::map<std::string, std::pair<uint64_t, int64_t>> told_;  // id and memory by name
  BpfMaps maps_;
};

// Of a u64 without a type.
std::string Bytes(uint64_t value) {
  std::string text = "\"";
  for (int i = 0; i < 8; ++i) text += fmt::format("{:02x}", value >> (8 * i) & 0xff);
  return text + "\"";
}

void BpfMapGuestTest::ExpectValues() {
  for (const auto& [name, told] : told_) {
    if (name == "u_arena_at") continue;
    SCOPED_TRACE(name);
    EXPECT_EQ(Map(name).name, name);
    // The kernel reckons nothing for an arena.
    const auto memory = name == "u_arena" ? std::nullopt : std::optional(told.second);
    EXPECT_EQ(Map(name).memory_bytes, memory);
  }
  EXPECT_THAT(Values("u_queue"), ElementsAre(KeyValue("0", Bytes(22)), KeyValue("1", Bytes(33)),
                                             KeyValue("2", Bytes(44)), KeyValue("3", Bytes(55))));
  EXPECT_EQ(Map("u_queue").entries, 4);
  EXPECT_THAT(Values("u_stack"), ElementsAre(KeyValue("0", Bytes(4)), KeyValue("1", Bytes(2)),
                                             KeyValue("2", Bytes(1))));
  const std::string inner = std::to_string(told_["u_inner"].first);
  EXPECT_THAT(Values("u_inner"), ElementsAre(KeyValue("0", Bytes(77))));
  EXPECT_THAT(Values("u_maps_array"), ElementsAre(KeyValue("1", inner)));
  EXPECT_THAT(Values("u_maps_hash"), ElementsAre(KeyValue(R"("05000000")", inner)));
  EXPECT_THAT(Values("u_trie"), UnorderedElementsAre(KeyValue(R"("080000000a000000")", Bytes(0)),
                                                     KeyValue(R"("100000000a010000")", Bytes(1)),
                                                     KeyValue(R"("100000000a020000")", Bytes(2))));
  EXPECT_EQ(Map("u_trie").entries, 3);

  const std::string record = R"({"state":"unread","size":8,"bytes":)" + Bytes(0x2a) + "}";
  EXPECT_THAT(Values("u_ring"), ElementsAre(KeyValue("0", record), KeyValue("1", record)));
  EXPECT_THAT(Values("u_user_ring"),
              ElementsAre(KeyValue(
                  "0", R"({"state":"unread","size":12,"bytes":"7477656c7665206279746573"})")));
  const auto socket = Values("u_socket");
  ASSERT_EQ(socket.size(), 1u);
  EXPECT_THAT(socket[0].first, StartsWith("0xff"));
  EXPECT_EQ(socket[0].second, "1234");
  const auto inode = Values("u_inode");
  ASSERT_EQ(inode.size(), 1u);
  EXPECT_THAT(inode[0].first, StartsWith("0xff"));
  EXPECT_EQ(inode[0].second, "5678");

  // Three values set at most five bits each, and one at least.
  const auto bloom = Values("u_bloom");
  ASSERT_EQ(bloom.size(), 1u);
  EXPECT_THAT(bloom[0].second,
              testing::MatchesRegex(R"(\{"bits":1024,"set":[0-9]+,"hash_functions":5\})"));
}

void BpfMapGuestTest::ExpectArenaPages() {
  EXPECT_EQ(Map("u_arena").entries, 2);
  std::vector<std::pair<int64_t, std::string>> pages;
  for (const BpfArenaPageRow& row : maps_.arena_pages) {
    EXPECT_EQ(row.map_id, Map("u_arena").id);
    EXPECT_EQ(row.user_address, Hex(told_["u_arena_at"].first + uint64_t(row.page) * kPageSize));
    pages.emplace_back(row.page,
                       guest_->kept().ReadString(Kva(row.page_kva.value), 16).value_or(""));
  }
  EXPECT_THAT(pages, ElementsAre(std::pair(0, "page zero"), std::pair(5, "page five")));
}

void BpfMapGuestTest::ExpectArenaPointers() {
  Anomalies anomalies("test");
  const auto walk = Walk::Of(guest_->kept(), anomalies);
  ASSERT_OK(walk);
  const ArenaPointers pointers(*walk);
  const Kva begin(told_["u_arena_at"].first);
  const int64_t id = Map("u_arena").id;
  ASSERT_EQ(maps_.arena_pages.size(), 2u);
  const Kva page(maps_.arena_pages[1].page_kva.value);
  EXPECT_EQ(pointers.Resolve(begin + 5 * kPageSize + 7).value_or(Kva()), page + 7);
  EXPECT_EQ(pointers.ResolveIn(id, begin + 5 * kPageSize).value_or(Kva()), page);
  // Programs may keep the low half only.
  const Kva low((begin + 5 * kPageSize).value() & 0xffffffff);
  EXPECT_EQ(pointers.ResolveIn(id, low).value_or(Kva()), page);
  EXPECT_EQ(pointers.Resolve(page).value_or(Kva()), page);
  EXPECT_EQ(pointers.IdOf("u_arena").value_or(0), id);
  EXPECT_EQ(pointers.Resolve(begin + 4 * kPageSize).error().code(), ErrorCode::kUnmapped);
  EXPECT_EQ(pointers.ResolveIn(id, begin + 16 * kPageSize).error().code(), ErrorCode::kUnmapped);
  EXPECT_EQ(pointers.ResolveIn(Map("u_queue").id, begin).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(pointers.IdOf("u_queue").error().code(), ErrorCode::kNotFound);
}

// One guest for all of it.
TEST_P(BpfMapGuestTest, MapsOfEveryKindHoldWhatWasPutIntoThem) {
  ExpectValues();
  ExpectArenaPages();
  ExpectArenaPointers();
}

INSTANTIATE_TEST_SUITE_P(Kernels, BpfMapGuestTest,
                         testing::ValuesIn(OwnAndOtherKernels({"6.12"}, {"newest-7"})),
                         [](const auto& test) { return KernelTestName(test.param); });

}  // namespace
}  // namespace ktstr

#include "libcore/walk/system/sched_domain.h"

#include <gmock/gmock.h>

#include "libcore/walk/system/topology.h"
#include "system_walk_test.h"

namespace ktstr {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two CPUs with two domains each.
class SchedDomainTest : public SystemWalkTest {
 protected:
  SchedDomainTest() {
    for (uint32_t cpu = 0; cpu < 2; ++cpu) {
      inner_.push_back(system_.AddDomain(cpu, "SMT", uint64_t{1} << cpu, 1));
      outer_.push_back(system_.AddDomain(cpu, "NUMA", 0b11, 3));
    }
    system_.Finish();
  }

  static std::vector<std::string> Names(const Walked<SchedDomainRow>& walked) {
    std::vector<std::string> names;
    for (const SchedDomainRow& row : walked.rows) {
      names.push_back(std::to_string(row.cpu) + "." + std::to_string(row.level) + " " +
                      row.name.value_or("?"));
    }
    return names;
  }

  std::vector<Kva> inner_, outer_;
};

TEST_F(SchedDomainTest, EachCpuHasItsDomainsFromTheSmallestOn) {
  const auto walked = Walk(WalkSchedDomains);
  EXPECT_THAT(Names(walked), ElementsAre("0.0 SMT", "0.1 NUMA", "1.0 SMT", "1.1 NUMA"));
  EXPECT_THAT(walked.anomalies, IsEmpty());
  const SchedDomainRow& row = walked.rows[3];
  EXPECT_EQ(row.span, "0-1");
  EXPECT_EQ(row.flags, Hex(uint64_t{81}));
  EXPECT_EQ(row.flag_names, "balance_newidle|share_llc|0x40");
  EXPECT_EQ(row.groups, 3);
  EXPECT_EQ(row.group_weight, 1);
  EXPECT_EQ(row.min_interval_ms, 4);
  EXPECT_EQ(row.max_interval_ms, std::nullopt);
  EXPECT_EQ(row.since_balance_ns, 10'000'000);
}

class SpanBehindDomainTest : public SystemWalkTest {
 protected:
  SpanBehindDomainTest() : SystemWalkTest({.span_member = false}) {}
};

// 7.0 on.
TEST_F(SpanBehindDomainTest, TheCpusOfADomainStandBehindIt) {
  system_.AddDomain(0, "SMT", 0b01, 1);
  system_.AddDomain(0, "NUMA", 0b11, 2);
  system_.Finish();
  const auto walked = Walk(WalkSchedDomains);
  ASSERT_EQ(walked.rows.size(), 2u);
  EXPECT_EQ(walked.rows[0].span, "0");
  EXPECT_EQ(walked.rows[1].span, "0-1");
  EXPECT_THAT(walked.anomalies, IsEmpty());
}

TEST_F(SchedDomainTest, ACycleOfOneCpusDomainsCostsNoOther) {
  builder_.Set("sched_domain", outer_[0], "parent", inner_[0].value());
  const auto walked = Walk(WalkSchedDomains);
  EXPECT_THAT(Names(walked), ElementsAre("0.0 SMT", "0.1 NUMA", "1.0 SMT", "1.1 NUMA"));
  EXPECT_THAT(Kinds(walked.anomalies), ElementsAre("cycle"));
}

TEST_F(SchedDomainTest, AWildParentCostsNoOther) {
  builder_.Set("sched_domain", inner_[0], "parent", kWild.value());
  const auto walked = Walk(WalkSchedDomains);
  EXPECT_THAT(Names(walked), ElementsAre("0.0 SMT", "1.0 SMT", "1.1 NUMA"));
  EXPECT_EQ(walked.anomalies.size(), 1u);
}

TEST_F(SchedDomainTest, ADomainInAPageThatWasLeftOutCostsNoOther) {
  LeaveOut(outer_[0]);
  const auto walked = Walk(WalkSchedDomains);
  EXPECT_THAT(Names(walked), ElementsAre("0.0 SMT", "1.0 SMT", "1.1 NUMA"));
  EXPECT_THAT(Kinds(walked.anomalies), ElementsAre("unreadable"));
}

TEST_F(SchedDomainTest, AWildGroupCostsOnlyItsNumber) {
  builder_.Set("sched_domain", outer_[0], "groups", kWild.value());
  const auto walked = Walk(WalkSchedDomains);
  EXPECT_EQ(walked.rows.at(1).groups, std::nullopt);
  EXPECT_EQ(walked.rows.at(1).span, "0-1");
  EXPECT_EQ(walked.rows.at(3).groups, 3);
  EXPECT_EQ(walked.anomalies.size(), 1u);
}

TEST_F(SchedDomainTest, TheCapEndsEachCpusWalkAndSaysSo) {
  const auto walked = Walk(WalkSchedDomains, {.max_nodes = 1});
  EXPECT_THAT(Names(walked), ElementsAre("0.0 SMT", "1.0 SMT"));
  EXPECT_THAT(Kinds(walked.anomalies), Contains("cap"));
}

class TopologyTest : public SystemWalkTest {};

TEST_F(TopologyTest, TellsTheEachCpusPlace) {
  const auto walked = WalkTopology(Kernel()).value();
  EXPECT_THAT(walked.anomalies, IsEmpty());
  ASSERT_EQ(walked.rows.size(), 2u);
  EXPECT_EQ(walked.rows[1].package, 3);
  EXPECT_EQ(walked.rows[1].core, 11);
  EXPECT_EQ(walked.rows[1].llc, std::nullopt);
  EXPECT_EQ(walked.rows[1].die, std::nullopt);
  EXPECT_EQ(walked.rows[1].thread_siblings, "1");
  EXPECT_EQ(walked.rows[1].core_siblings, std::nullopt);
  EXPECT_EQ(walked.rows[0].node, std::nullopt);
  EXPECT_EQ(walked.rows[1].node, 1);
}

TEST_F(TopologyTest, AWildMaskCostsOnlyItself) {
  builder_.Put(builder_.PerCpu("cpu_sibling_map", 0), kWild);
  const auto walked = WalkTopology(Kernel()).value();
  ASSERT_EQ(walked.rows.size(), 2u);
  EXPECT_EQ(walked.rows[0].thread_siblings, std::nullopt);
  EXPECT_EQ(walked.rows[0].package, 3);
  EXPECT_EQ(walked.rows[1].thread_siblings, "1");
  EXPECT_EQ(walked.anomalies.size(), 1u);
}

TEST_F(TopologyTest, ACpuThatWasNeverOnlineHasNoPlace) {
  builder_.Set("cpuinfo_x86", builder_.PerCpu("cpu_info", 1), "initialized", 0);
  const auto walked = WalkTopology(Kernel()).value();
  EXPECT_EQ(walked.rows.at(0).package, 3);
  EXPECT_EQ(walked.rows.at(1).package, std::nullopt);
  EXPECT_EQ(walked.rows.at(1).core, std::nullopt);
}

class OlderTopologyTest : public SystemWalkTest {
 protected:
  OlderTopologyTest() : SystemWalkTest({.masks_off_stack = false, .topology_struct = false}) {}
};

TEST_F(OlderTopologyTest, MembersOfOlderKernelsAndMasksInPlaceAreFound) {
  const auto walked = WalkTopology(Kernel()).value();
  EXPECT_THAT(walked.anomalies, IsEmpty());
  ASSERT_EQ(walked.rows.size(), 2u);
  EXPECT_EQ(walked.rows[1].package, 3);
  EXPECT_EQ(walked.rows[1].core, 11);
  EXPECT_EQ(walked.rows[1].thread_siblings, "1");
}

}  // namespace
}  // namespace ktstr

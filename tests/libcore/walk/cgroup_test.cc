#include "libcore/walk/system/cgroup.h"

#include <gmock/gmock.h>

#include <string_view>

#include "system_walk_test.h"

namespace ktstr {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The root with /a, /b and /c; /b with /b/x, /b/y and /b/z.
class CgroupTest : public SystemWalkTest {
 protected:
  CgroupTest() {
    a_ = system_.AddCgroup(system_.root_cgroup(), "a");
    b_ = system_.AddCgroup(system_.root_cgroup(), "b");
    c_ = system_.AddCgroup(system_.root_cgroup(), "c");
    x_ = system_.AddCgroup(b_, "x");
    y_ = system_.AddCgroup(b_, "y");
    z_ = system_.AddCgroup(b_, "z");
    system_.Finish();
  }

  Walked<CgroupRow> WalkAll(const WalkLimits& limits = {}) { return Walk(WalkCgroups, limits); }
  static std::vector<std::string> Paths(const Walked<CgroupRow>& walked) {
    std::vector<std::string> paths;
    for (const CgroupRow& row : walked.rows) paths.push_back(row.path.value_or("?"));
    return paths;
  }
  static const CgroupRow& At(const Walked<CgroupRow>& walked, std::string_view path) {
    return *std::find_if(walked.rows.begin(), walked.rows.end(),
                         [&](const CgroupRow& row) { return row.path == path; });
  }

  Kva a_, b_, c_, x_, y_, z_;
};

TEST_F(CgroupTest, EveryCgroupHasARowBelowItsParent) {
  const auto walked = WalkAll();
  EXPECT_THAT(Paths(walked), ElementsAre("/", "/a", "/b", "/b/x", "/b/y", "/b/z", "/c"));
  EXPECT_THAT(walked.anomalies, IsEmpty());
  const CgroupRow& y = At(walked, "/b/y");
  EXPECT_EQ(y.level, 2);
  EXPECT_EQ(y.online, 1);
  EXPECT_EQ(y.frozen, 0);
  EXPECT_EQ(y.populated, 0);
  EXPECT_EQ(y.nr_tasks, 0);
  EXPECT_EQ(y.id, Hex(uint64_t{105}));
  EXPECT_EQ(y.parent_kva, Hex(b_));
  // No controller is enabled there.
  EXPECT_EQ(y.weight, std::nullopt);
  EXPECT_EQ(y.cpu_max, std::nullopt);
  EXPECT_EQ(y.cpus, std::nullopt);
  // The kernel does not count the root's time there.
  EXPECT_EQ(At(walked, "/").usage_ns, std::nullopt);
  EXPECT_EQ(y.usage_ns, 0);
}

TEST_F(CgroupTest, ControllersTellWhatTheirFilesShow) {
  system_.AddTaskGroup(a_, uint64_t{205} << 10, 50'000'000, 100'000'000);
  system_.AddCpuset(a_, 0, 0b11);
  system_.AddTaskGroup(b_, uint64_t{1024} << 10, ~uint64_t{0}, 100'000'000);
  system_.AddTaskGroup(c_, 3, ~uint64_t{0}, 100'000'000);
  system_.AddTasks(a_, 7);
  builder_.Set("cgroup", a_, "nr_populated_domain_children", 1);
  builder_.Set("cgroup", a_, "flags", 1 << 5);
  const auto walked = WalkAll();
  EXPECT_THAT(walked.anomalies, IsEmpty());
  const CgroupRow& a = At(walked, "/a");
  EXPECT_EQ(a.weight, 20);
  EXPECT_EQ(a.cpu_max, "50000 100000");
  EXPECT_EQ(a.quota_ns, 50'000'000);
  EXPECT_EQ(a.cpus, "");
  EXPECT_EQ(a.cpus_effective, "0-1");
  EXPECT_EQ(a.nr_tasks, 7);
  EXPECT_EQ(a.populated, 1);
  EXPECT_EQ(a.frozen, 1);
  EXPECT_EQ(At(walked, "/b").weight, 100);
  EXPECT_EQ(At(walked, "/b").cpu_max, "max 100000");
  EXPECT_EQ(At(walked, "/b").quota_ns, std::nullopt);
  EXPECT_EQ(At(walked, "/c").weight, 1);
}

TEST_F(CgroupTest, HierarchiesOfV1AreThereWhenTheyHaveCpuOrCpuset) {
  const Kva cpu = system_.AddHierarchy(4, 0b001);
  system_.AddHierarchy(5, 0b010);
  const Kva below = system_.AddCgroup(cpu, "old");
  system_.AddTaskGroup(below, 512 << 10, ~uint64_t{0}, 100'000'000);
  system_.Finish();
  const auto walked = WalkAll();
  EXPECT_THAT(walked.anomalies, IsEmpty());
  ASSERT_EQ(walked.rows.size(), 9u);
  EXPECT_EQ(walked.rows[7].path, "/");
  EXPECT_EQ(walked.rows[7].hierarchy, 4);
  EXPECT_EQ(walked.rows[8].path, "/old");
  EXPECT_EQ(walked.rows[8].weight, 50);
  // Time is counted in the default hierarchy alone.
  EXPECT_EQ(walked.rows[8].usage_ns, std::nullopt);
  EXPECT_EQ(walked.rows[6].hierarchy, 0);
}

TEST_F(CgroupTest, AWildPointerAmongSiblingsCostsNone) {
  builder_.Put(system_.SiblingNode(x_), kWild);
  const auto walked = WalkAll();
  EXPECT_THAT(Paths(walked), ElementsAre("/", "/a", "/b", "/b/x", "/b/y", "/b/z", "/c"));
  EXPECT_THAT(walked.anomalies, Not(IsEmpty()));
}

TEST_F(CgroupTest, ACycleAmongSiblingsCostsNone) {
  builder_.Put(system_.SiblingNode(x_), system_.SiblingNode(x_));
  const auto walked = WalkAll();
  EXPECT_THAT(Paths(walked), ElementsAre("/", "/a", "/b", "/b/x", "/b/y", "/b/z", "/c"));
  EXPECT_THAT(walked.anomalies, Not(IsEmpty()));
}

TEST_F(CgroupTest, ACgroupThatIsItsOwnGrandchildIsToldOnce) {
  builder_.LinkList(system_.ChildrenHead(z_), {system_.SiblingNode(b_)});
  const auto walked = WalkAll();
  EXPECT_THAT(Kinds(walked.anomalies), Contains("cycle"));
  EXPECT_THAT(Paths(walked), testing::IsSupersetOf({"/", "/a", "/b", "/b/x", "/b/y", "/b/z"}));
}

TEST_F(CgroupTest, ACgroupInAPageThatWasLeftOutCostsOnlyItself) {
  LeaveOut(y_);
  const auto walked = WalkAll();
  EXPECT_THAT(Paths(walked), ElementsAre("/", "/a", "/b", "/b/x", "/b/z", "/c"));
  EXPECT_THAT(Kinds(walked.anomalies), Contains("unreadable"));
}

TEST_F(CgroupTest, ATaskGroupThatCannotBeReadCostsOnlyItsColumns) {
  LeaveOut(system_.AddTaskGroup(a_, 1 << 20, 1, 1));
  system_.AddTaskGroup(b_, 1 << 20, ~uint64_t{0}, 100'000'000);
  const auto walked = WalkAll();
  EXPECT_EQ(At(walked, "/a").weight, std::nullopt);
  EXPECT_EQ(At(walked, "/a").nr_tasks, 0);
  EXPECT_EQ(At(walked, "/b").weight, 100);
  EXPECT_THAT(Kinds(walked.anomalies), ElementsAre("unreadable"));
}

TEST_F(CgroupTest, TheCapEndsTheWalkAndSaysSo) {
  const auto walked = WalkAll({.max_nodes = 4});
  EXPECT_THAT(Paths(walked), ElementsAre("/", "/a", "/b", "/b/x"));
  EXPECT_THAT(Kinds(walked.anomalies), ElementsAre("cap"));
}

}  // namespace
}  // namespace ktstr

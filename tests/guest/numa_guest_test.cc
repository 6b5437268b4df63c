// A guest with two NUMA nodes: each CPU's node is as the guest's own files say.
#include <gmock/gmock.h>

#include <set>

#include "fixtures/sample/temporary_directory.h"
#include "frozen_guest.h"
#include "guest_tests.h"
#include "libcore/walk/system/sched_domain.h"
#include "libcore/walk/system/topology.h"

namespace ktstr {
namespace {

TEST(NumaGuestTest, EachCpuIsInItsNode) {
  for (const char* kernel : {"6.12", "6.1"}) {
    SCOPED_TRACE(kernel);
    MachineOptions options = Machine(kernel);
    options.cpus = 4;
    // Machines since q35 5.1 want a memory backend for each node; ours is one for all.
    options.extra_arguments = {"-machine", "pc-q35-5.0",
                               "-smp",     "cpus=4,sockets=2,cores=2,threads=1",
                               "-numa",    "node,nodeid=0,cpus=0-1,mem=256M",
                               "-numa",    "node,nodeid=1,cpus=2-3,mem=256M"};
    const auto machine = BootWithWork(options);
    ASSERT_OK(machine);
    const auto system = (*machine)->SystemAccount();
    ASSERT_OK(system);
    synthetic::TemporaryDirectory directory;
    const auto guest = FrozenGuest::Freeze(**machine, directory / "a.kts");
    ASSERT_OK(guest);
    const auto topology = WalkTopology((*guest)->kept());
    ASSERT_OK(topology);
    EXPECT_THAT(topology->anomalies, testing::IsEmpty());
    std::vector<int64_t> nodes;
    for (const TopologyRow& row : topology->rows) {
      const nlohmann::json& told = (*system)["cpus"][std::to_string(row.cpu)];
      EXPECT_EQ(row.node, told["node"].get<int64_t>());
      nodes.push_back(row.node.value_or(-1));
    }
    EXPECT_THAT(nodes, testing::ElementsAre(0, 0, 1, 1));
    // The outermost domain is that of all nodes.
    const auto domains = WalkSchedDomains((*guest)->kept());
    ASSERT_OK(domains);
    EXPECT_THAT(domains->anomalies, testing::IsEmpty());
    std::set<std::string> flags, spans;
    for (const SchedDomainRow& row : domains->rows) {
      spans.insert(row.span.value_or("?"));
      if (row.span == "0-3") flags.insert(row.flag_names.value_or("?"));
    }
    EXPECT_THAT(spans, testing::ElementsAre("0-1", "0-3", "2-3"));
    EXPECT_THAT(flags, testing::Each(testing::HasSubstr("numa")));
  }
}

}  // namespace
}  // namespace ktstr

// Proves: what comes of a structure that changes while it is read is told from what is wrong.
#include "analyze/index/settled.h"

#include <gtest/gtest.h>

#include "archives.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

// A machine of which nothing is asked but whether it runs.
class RunningMachine : public Machine {
 public:
  RunningMachine() { metadata_.ran_while_read = true; }
  GuestMemory& memory() override { std::abort(); }
  std::span<const VcpuRegisters> vcpus() const override { return {}; }
  const ArchiveMetadata& metadata() const override { return metadata_; }
  Result<GuestKernel*> Kernel(const KernelChoice&) override {
    return Fail(ErrorCode::kNotFound, "none");
  }

 private:
  ArchiveMetadata metadata_;
};

using Anomaly = std::pair<const char*, uint64_t>;  // kind, address

Walked<int> WalkThatMeets(const std::vector<Anomaly>& anomalies) {
  Walked<int> walked;
  for (const auto& [kind, address] : anomalies) {
    walked.anomalies.push_back({"w", kind, Hex(address), "d"});
  }
  return walked;
}

class SettledTest : public testing::Test {
 protected:
  void SetUp() override {
    auto kernel = GuestKernel::Open(*guest_.memory, guest_.vcpus);
    ASSERT_TRUE(kernel) << kernel.error().ToString();
    kernel_ = *std::move(kernel);
  }
  // What is told in the end of walks that meet these, one after the other: "kind address, …".
  std::string Told(const Settling& settling, const std::vector<std::vector<Anomaly>>& walks) {
    walks_ = 0;
    const auto walked =
        settling(*kernel_, [&] { return Result<Walked<int>>(WalkThatMeets(walks.at(walks_++))); });
    std::string told;
    for (const AnomalyRow& anomaly : walked->anomalies) {
      told +=
          fmt::format("{}{} {}", told.empty() ? "" : ", ", anomaly.kind, anomaly.address->value);
    }
    return told;
  }

  synthetic::SyntheticGuest guest_ = MakeGuest();
  std::unique_ptr<GuestKernel> kernel_;
  size_t walks_ = 0;
};

TEST_F(SettledTest, AMachineThatRunsIsWalkedAgainUntilNothingLooksDamaged) {
  RunningMachine machine;
  const Settling settling(machine);
  EXPECT_EQ(Told(settling, {{}}), "");
  EXPECT_EQ(Told(settling, {{{"damage", 1}}, {}}), "");
  EXPECT_EQ(walks_, 2u);
  // What is missing from the kernel is so each time, and no reason to walk again.
  EXPECT_EQ(Told(settling, {{{"no member", 1}}}), "no member 1");
}

TEST_F(SettledTest, OnlyWhatIsDamagedEachTimeAtTheSamePlaceIs) {
  RunningMachine machine;
  const Settling settling(machine);
  EXPECT_EQ(Told(settling, {{{"damage", 1}, {"cycle", 2}, {"damage", 3}},
                            {{"cycle", 2}, {"damage", 4}},
                            {{"cycle", 2}, {"damage", 5}, {"damage", 6}}}),
            "cycle 2, torn 4");
  EXPECT_EQ(walks_, 3u);
}

TEST_F(SettledTest, AnArchiveIsWalkedOnceAndAllOfOneThatRanMayBeTorn) {
  const TemporaryDirectory directory;
  for (const bool ran : {true, false}) {
    const std::string path = directory / (ran ? "ran.kts" : "stood.kts");
    ArchiveContents contents = {.memory = *guest_.memory, .vcpus = guest_.vcpus};
    contents.metadata.ran_while_read = ran;
    ASSERT_TRUE(WriteArchive(path, contents, {}));
    const auto machine = FrozenMachine::Open(path);
    ASSERT_TRUE(machine);
    const Settling settling(**machine);
    EXPECT_EQ(
        Told(settling, {{{"damage", 1}, {"no member", 2}, {"no registers", 3}}}),
        ran ? "torn 1, no member 2, no registers 3" : "damage 1, no member 2, no registers 3");
    EXPECT_EQ(walks_, 1u);
  }
}

}  // namespace
}  // namespace ktstr

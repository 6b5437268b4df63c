#include "capture/system/spare_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace ktstr {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class SpareMemoryTest : public testing::Test {
 protected:
  SpareMemoryTest() {
    Write("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable: 4194304 kB\nBuffers: 1 kB\n");
  }
  ~SpareMemoryTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }

  const std::filesystem::path root_ =
      std::filesystem::path(testing::TempDir()) / ("spare-memory-" + std::to_string(getpid()));
};

TEST_F(SpareMemoryTest, AQuarterOfWhatIsAvailable) {
  EXPECT_EQ(SpareMemory(root_), 1024 * kMiB);
  Write("proc/meminfo", "MemAvailable: 99999999 kB\n");
  EXPECT_EQ(SpareMemory(root_), 4096 * kMiB);
  Write("proc/meminfo", "MemTotal: 9000000 kB\n");
  EXPECT_EQ(SpareMemory(root_), 0u);
}

TEST_F(SpareMemoryTest, AControlGroupAndThoseAroundItMayHaveLessLeft) {
  Write("proc/self/cgroup", "0::/ci/job-7\n");
  Write("sys/fs/cgroup/ci/job-7/memory.max", "max\n");
  Write("sys/fs/cgroup/ci/job-7/memory.current", "1000\n");
  EXPECT_EQ(SpareMemory(root_), 1024 * kMiB);
  Write("sys/fs/cgroup/ci/memory.max", std::to_string(500 * kMiB));
  Write("sys/fs/cgroup/ci/memory.current", std::to_string(100 * kMiB));
  EXPECT_EQ(SpareMemory(root_), 100 * kMiB);
  Write("sys/fs/cgroup/ci/memory.current", std::to_string(501 * kMiB));
  EXPECT_EQ(SpareMemory(root_), 0u);
}

TEST_F(SpareMemoryTest, AContainerSeesItsGroupAsTheOutermost) {
  Write("proc/self/cgroup", "0::/\n");
  Write("sys/fs/cgroup/memory.max", std::to_string(400 * kMiB));
  Write("sys/fs/cgroup/memory.current", "0\n");
  EXPECT_EQ(SpareMemory(root_), 100 * kMiB);
}

TEST_F(SpareMemoryTest, SoOfTheFirstVersion) {
  Write("proc/self/cgroup", "4:cpu,cpuacct:/a\n3:memory:/docker/x\nnonsense\n");
  Write("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", std::to_string(80 * kMiB));
  Write("sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes", std::to_string(40 * kMiB));
  EXPECT_EQ(SpareMemory(root_), 10 * kMiB);
}

}  // namespace
}  // namespace ktstr

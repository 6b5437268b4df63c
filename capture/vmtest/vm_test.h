// A GoogleTest fixture for tests of schedulers in C++: boots a machine, drives it, reads it while
// it is frozen, and keeps the frozen machine of a test of which an assertion failed.
//
//   class FairnessTest : public ktstr::VmTest {};
//
//   TEST_F(FairnessTest, SpinnersShareOneCpu) {
//     KTSTR_ASSERT_OK(Boot());
//     KTSTR_ASSERT_OK(LoadScheduler("vtime"));
//     KTSTR_ASSERT_OK(machine().StartWorkers({{"spin", 4}}));
//     RunFor(std::chrono::seconds(1));
//     auto frozen = Freeze();
//     KTSTR_ASSERT_OK(frozen);
//     const auto tasks = ktstr::WalkTasks(frozen->kernel());
//     …
//   }
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>  // for those who write a test: variables are JSON
#include <string>

#include "capture/boot/guest_machine.h"
#include "capture/freeze.h"
#include "capture/live_ops.h"

namespace ktstr {

// A machine that stands still for as long as this lives, and its kernel.
class FrozenVm {
 public:
  FrozenVm(Frozen frozen, std::unique_ptr<LiveOps> ops, pid_t pid)
      : frozen_(std::move(frozen)), ops_(std::move(ops)), pid_(pid) {}

  GuestKernel& kernel() { return ops_->kernel(); }
  // Reads and writes (libcore/ops) within this freeze.
  Result<OpReply> Dispatch(const OpRequest& request) { return ops_->Dispatch(frozen_, request); }
  // Writes the archive of this freeze. Errors: as CaptureFrozen.
  Status Keep(const std::filesystem::path& archive);

 private:
  Frozen frozen_;
  std::unique_ptr<LiveOps> ops_;
  pid_t pid_;  // QEMU's
};

class VmTest : public testing::Test {
 public:
  ~VmTest() override;

  // What to boot; to be changed before Boot. Its kernel is "scx-small" when none is given.
  MachineOptions& options() { return options_; }
  // The kernel by a name or path as scenarios have it ("debian-6.12", "./bzImage").
  void UseKernel(const std::string& name) { kernel_ = name; }

  // Boots it, with our schedulers in /schedulers. Errors: as GuestMachine::Boot; the kernel's.
  Status Boot();
  // Loads one of our schedulers by name, or a BPF object by its path in the guest
  // (options().files). Errors: as GuestMachine::LoadScheduler.
  Status LoadScheduler(const std::string& name);
  Status LoadScheduler(const std::string& name, const nlohmann::json& variables);
  // The machine, once booted.
  GuestMachine& machine() { return *machine_; }
  // Lets it work.
  void RunFor(std::chrono::milliseconds time);
  // Freezes it until the result goes. Errors: as Frozen::Freeze and LiveOps::Open.
  Result<FrozenVm> Freeze();

  // Where the archive of a failed test goes: $KTSTR_RESULTS, else "ktstr-results", with the name
  // Suite.Test.kts. It is frozen as the first assertion fails; the machine then goes on.
  const std::filesystem::path& archive() const { return archive_; }

 protected:
  void SetUp() override;
  void TearDown() override;

 private:
  friend class FailureWatch;
  void KeepFailure(const std::string& what);

  MachineOptions options_;
  std::string kernel_ = "scx-small";
  // Asked for before anything fails: GoogleTest does not answer while it tells of a failure.
  std::string name_;
  std::filesystem::path archive_;
  std::unique_ptr<GuestMachine> machine_;
  bool kept_ = false;
};

// Where share/ktstr of the installation is (own_place.h); the CMake package says it.
void UseShareDirectory(const char* directory);
#ifdef KTSTR_SHARE_DIR
namespace internal {
inline const bool share_directory_used = (UseShareDirectory(KTSTR_SHARE_DIR), true);
}
#endif

template <typename T>
testing::AssertionResult IsOk(const Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().ToString();
}

#define KTSTR_ASSERT_OK(result) ASSERT_TRUE(::ktstr::IsOk(result))
#define KTSTR_EXPECT_OK(result) EXPECT_TRUE(::ktstr::IsOk(result))

}  // namespace ktstr

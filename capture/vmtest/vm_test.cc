#include "capture/vmtest/vm_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "capture/capture.h"
#include "capture/run/kernel_choice.h"
#include "capture/run/own_place.h"
#include "libcore/base/private_directory.h"

namespace ktstr {

namespace fs = std::filesystem;

namespace {

// The test that runs now.
VmTest* current = nullptr;

std::string TestName() {
  const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
  std::string name =
      info == nullptr ? "unknown" : fmt::format("{}.{}", info->test_suite_name(), info->name());
  std::ranges::replace(name, '/', '_');  // parametrised tests have them
  return name;
}

Result<CaptureSummary> KeepFrozen(Frozen& frozen, pid_t pid, const fs::path& archive,
                                  const std::string& test, const std::string& trigger,
                                  const std::string& detail) {
  CaptureOptions options;
  options.output = archive;
  options.overwrite = true;
  options.pid = pid;
  options.captured_by = "ktstr::VmTest";
  options.trigger = trigger;
  options.trigger_detail = detail;
  options.tags["test"] = test;
  return CaptureFrozen(frozen, options);
}

}  // namespace

// Hears of an assertion that failed at the moment at which it does.
class FailureWatch : public testing::EmptyTestEventListener {
 public:
  static void Install() {
    static const bool installed = [] {
      testing::UnitTest::GetInstance()->listeners().Append(new FailureWatch);
      return true;
    }();
    std::ignore = installed;
  }

  void OnTestPartResult(const testing::TestPartResult& part) override {
    if (!part.failed() || current == nullptr) return;
    current->KeepFailure(fmt::format("{}:{}: {}",
                                     part.file_name() == nullptr ? "" : part.file_name(),
                                     part.line_number(), part.summary()));
  }
};

void UseShareDirectory(const char* directory) { SetShareDirectory(directory); }

Status FrozenVm::Keep(const fs::path& archive) {
  KTSTR_TRY(KeepFrozen(frozen_, pid_, archive, TestName(), "manual", ""));
  return {};
}

VmTest::~VmTest() {
  if (current == this) current = nullptr;
}

void VmTest::SetUp() {
  FailureWatch::Install();
  std::error_code ignored;
  name_ = TestName();
  const char* results = std::getenv("KTSTR_RESULTS");
  archive_ = fs::path(results != nullptr && *results != '\0' ? results : "ktstr-results") /
             (name_ + ".kts");
  fs::remove(archive_, ignored);  // an earlier run's
  current = this;
}

void VmTest::TearDown() {
  current = nullptr;
  if (machine_ != nullptr) machine_->qemu().Kill();
}

Status VmTest::Boot() {
  if (options_.kernel.empty()) options_.kernel = KTSTR_TRY(ResolveKernel(kernel_));
  for (const auto& [name, object] : OwnSchedulers()) {
    options_.files.push_back({object, fmt::format("/schedulers/{}.bpf.o", name)});
  }
  machine_ = KTSTR_TRY(GuestMachine::Boot(options_));
  return {};
}

Status VmTest::LoadScheduler(const std::string& name) {
  return LoadScheduler(name, nlohmann::json::object());
}

Status VmTest::LoadScheduler(const std::string& name, const nlohmann::json& variables) {
  const bool path = name.find('/') != std::string::npos;
  return machine_->LoadScheduler(path ? name : fmt::format("/schedulers/{}.bpf.o", name),
                                 variables);
}

void VmTest::RunFor(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

Result<FrozenVm> VmTest::Freeze() {
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(machine_->qmp()));
  auto ops = KTSTR_TRY(LiveOps::Open(frozen, machine_->qemu().pid()));
  return FrozenVm(std::move(frozen), std::move(ops), machine_->qemu().pid());
}

void VmTest::KeepFailure(const std::string& what) {
  if (kept_ || machine_ == nullptr) return;
  kept_ = true;
  std::ignore = MakePrivateDirectories(archive_.parent_path());
  auto frozen = Frozen::Freeze(machine_->qmp());
  auto kept = frozen
                  ? KeepFrozen(*frozen, machine_->qemu().pid(), archive_, name_, "assertion", what)
                  : Result<CaptureSummary>(tl::make_unexpected(frozen.error()));
  if (kept) {
    fmt::print("kept {}\n", archive_.string());
  } else {
    fmt::print("the machine could not be kept: {}\n", kept.error().ToString());
  }
}

}  // namespace ktstr

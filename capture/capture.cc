#include "ktstr/capture/capture.h"

#include <fmt/format.h>

#include <system_error>

#include "ktstr/capture/device_state.h"
#include "ktstr/capture/json_access.h"
#include "ktstr/capture/live_memory.h"
#include "ktstr/capture/process_info.h"
#include "ktstr/capture/ram_map.h"
#include "ktstr/capture/vcpu_state.h"
#include "ktstr/kernel/guest_kernel.h"

namespace ktstr {

namespace {

Result<ArchiveMetadata> DescribeMachine(Frozen& frozen, pid_t pid, const CaptureOptions& options) {
  QmpClient& qmp = frozen.qmp();
  ArchiveMetadata metadata;
  metadata.vmm_version = "QEMU " + qmp.qemu_version();
  metadata.vmm_command_line = KTSTR_TRY(ReadCommandLine(pid));
  metadata.accelerator = BoolMember(KTSTR_TRY(qmp.Execute("query-kvm")), "enabled") ? "kvm" : "tcg";
  metadata.captured_at_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(frozen.since().time_since_epoch())
          .count();
  metadata.captured_by = options.captured_by + " " KTSTR_VERSION;
  metadata.trigger = options.trigger;
  metadata.trigger_detail = options.trigger_detail;
  metadata.tags = options.tags;
  return metadata;
}

// A guest without a kernel that can be found (firmware, another system) is captured all the same.
void DescribeKernel(GuestMemory& memory, std::span<const VcpuRegisters> vcpus,
                    ArchiveMetadata* metadata, std::vector<std::string>* warnings) {
  auto kernel = GuestKernel::Open(memory, vcpus);
  if (!kernel) {
    warnings->push_back("no kernel found in the guest's memory: " + kernel.error().ToString());
    return;
  }
  metadata->kernel_release = (*kernel)->release();
  metadata->kernel_build_id = (*kernel)->build_id();
  metadata->derivations = (*kernel)->derivations();
  auto cmdline = (*kernel)->CommandLine();
  if (cmdline) {
    metadata->kernel_cmdline = *cmdline;
  } else {
    warnings->push_back("the kernel's command line is unknown: " + cmdline.error().ToString());
  }
}

// Tells the writer to stop when the caller wants it or QEMU has died.
class Watch {
 public:
  Watch(const QmpClient& qmp, const CaptureOptions& options) : qmp_(qmp), options_(options) {}

  void Progress(uint64_t done, uint64_t all) {
    died_ = died_ || HasHungUp(qmp_.fd());
    cancelled_ = cancelled_ || (options_.cancel != nullptr && options_.cancel->load());
    if (died_ || cancelled_) stop_ = true;
    if (options_.progress) options_.progress(done, all);
  }

  const std::atomic<bool>* stop() const { return &stop_; }
  // The error in place of the writer's.
  Error Explain(Error error) const {
    if (died_) return Error(ErrorCode::kPeer, qmp_.name() + " ended during the capture");
    if (cancelled_) return Error(ErrorCode::kIo, "the capture was interrupted");
    return error;
  }

 private:
  const QmpClient& qmp_;
  const CaptureOptions& options_;
  std::atomic<bool> stop_ = false;
  bool died_ = false, cancelled_ = false;
};

// Called when QEMU turns out to be gone after the archive was renamed into place.
Error GoneAfterWriting(const CaptureOptions& options, Error error) {
  std::error_code ignored;
  std::filesystem::remove(options.output, ignored);
  return std::move(error).Wrap("QEMU ended during the capture; its archive was removed");
}

Status EndFreeze(Frozen frozen, const CaptureOptions& options) {
  if (options.then == AfterCapture::kResume) return frozen.Resume();
  QmpClient& qmp = frozen.qmp();
  frozen.Abandon();
  KTSTR_TRY(qmp.Execute("quit"));
  return {};
}

}  // namespace

Status CheckOutput(const std::filesystem::path& output, bool overwrite) {
  std::error_code error;
  if (overwrite || !std::filesystem::exists(output, error)) return {};
  return Fail(ErrorCode::kExists,
              fmt::format("'{}' exists already: choose another name, or overwrite it with --force",
                          output.string()));
}

Result<CaptureSummary> CaptureFrozen(Frozen& frozen, const CaptureOptions& options) {
  QmpClient& qmp = frozen.qmp();
  KTSTR_TRY(CheckOutput(options.output, options.overwrite));
  const pid_t pid = options.pid != 0 ? options.pid : KTSTR_TRY(qmp.PeerPid());
  const auto device_state = KTSTR_TRY(SaveDeviceState(frozen));
  const auto vcpus = KTSTR_TRY(ParseVcpus(*device_state));
  const auto memory = KTSTR_TRY(LiveMemory::Map(KTSTR_TRY(FindRam(qmp, pid))));

  CaptureSummary summary;
  ArchiveContents contents = {.memory = *memory,
                              .vcpus = vcpus,
                              .device_state = *device_state,
                              .metadata = KTSTR_TRY(DescribeMachine(frozen, pid, options))};
  DescribeKernel(*memory, vcpus, &contents.metadata, &summary.warnings);
  summary.kernel_release = contents.metadata.kernel_release;

  Watch watch(qmp, options);
  const ArchiveWriteOptions write = {
      .overwrite = options.overwrite,
      .progress = [&](uint64_t done, uint64_t all) { watch.Progress(done, all); },
      .cancel = watch.stop()};
  auto written = WriteArchive(options.output, contents, write);
  if (!written) return Fail(watch.Explain(std::move(written).error()));
  summary.archive = *std::move(written);
  summary.frozen_for = frozen.Age();
  return summary;
}

Result<CaptureSummary> Capture(QmpClient& qmp, const CaptureOptions& options) {
  KTSTR_TRY(
      CheckOutput(options.output, options.overwrite));  // before the guest is stopped for nothing
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(qmp));
  CaptureSummary summary = KTSTR_TRY(CaptureFrozen(frozen, options));
  const auto since = std::chrono::steady_clock::now() - frozen.Age();
  auto ended = EndFreeze(std::move(frozen), options);
  if (!ended) return Fail(GoneAfterWriting(options, std::move(ended).error()));
  summary.frozen_for = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - since);
  return summary;
}

}  // namespace ktstr

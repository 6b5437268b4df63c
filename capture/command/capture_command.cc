#include "capture/command/capture_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <functional>

#include "capture/command/command_line.h"
#include "capture/host_capture.h"
#include "capture/qemu/monitor_address.h"
#include "libcore/base/interrupt_guard.h"
#include "libcore/base/output.h"
#include "libcore/base/progress_bar.h"
#include "libcore/base/quantity.h"
#include "libcore/kernel/tried_kernels.h"

namespace ktstr {

namespace {

// What stood still or did not, and for how long, as the end of the line that sums up.
enum class Captured { kGuest, kHost };
std::string HowLong(const CaptureSummary& summary, Captured what) {
  const std::string kernel =
      summary.kernel_release.empty() ? "" : " with kernel " + summary.kernel_release;
  const auto ms = summary.frozen_for.count() / 1000;
  return what == Captured::kGuest
             ? fmt::format("guest{} frozen for {} ms", kernel, ms)
             : fmt::format("this machine{} read in {} ms while it ran", kernel, ms);
}

// Says the rest on standard error. The line that sums up, ended.
std::string SummaryLine(const std::string& output, const CaptureSummary& summary,
                        Captured what = Captured::kGuest) {
  const ArchiveWriteSummary& archive = summary.archive;
  uint64_t pages = archive.present_pages + archive.duplicate_pages + archive.zero_pages;
  std::string left_out;
  for (const auto& [reason, count] : archive.left_out_pages) {
    pages += count;
    left_out += fmt::format("{}{} {}", left_out.empty() ? "; left out: " : ", ", count,
                            LeftOutReasonName(reason));
  }
  for (const std::string& warning : summary.warnings) fmt::print(stderr, "warning: {}\n", warning);
  if (const auto newer = NewerThanTried(summary.kernel_release)) {
    fmt::print(stderr, "note: {}\n", *newer);
  }
  if (!summary.kernels.empty()) fmt::print(stderr, "note: kernels: {}\n", summary.kernels);
  return fmt::format(
      "{}: {}, {} pages of which {} are stored, {} are repeated and {} are zero{}; {}\n", output,
      FormatSize(archive.file_size), pages, archive.present_pages, archive.duplicate_pages,
      archive.zero_pages, left_out, HowLong(summary, what));
}

// Fills the options in, and captures with a progress bar and by `capture`.
Result<CaptureSummary> CaptureWithProgress(
    const ArchiveArguments& arguments, CaptureOptions options,
    const std::function<Result<CaptureSummary>(const CaptureOptions&)>& capture) {
  options.output = arguments.output;
  options.overwrite = arguments.force;
  options.keep = arguments.keep == "kernel" ? Keep::kKernel : Keep::kAll;
  options.compression_level = arguments.level;
  options.tags = KTSTR_TRY(ParseTags(arguments.tags));
  if (options.cancel == nullptr) options.cancel = &InterruptGuard::flag();
  ProgressBar bar("writing " + arguments.output);
  options.progress = [&bar](uint64_t done, uint64_t all) { bar.Show(done, all); };
  const InterruptGuard guard(kEndingSignals);
  auto summary = capture(options);
  bar.Clear();
  return summary;
}

}  // namespace

void AddMachineOptions(Options* app, MachineArguments* arguments) {
  app->Add("--qmp", &arguments->qmp,
           "QEMU's QMP socket (-qmp unix:SOCKET,server=on,wait=off), HOST:PORT on this "
           "machine, or libvirt:DOMAIN")
      .TypeName("SOCKET");
  app->Add("--pid", &arguments->pid,
           "QEMU's process: where it is not the one that owns the socket, or without --qmp, which "
           "is then taken from its command line")
      .TypeName("PID");
  app->Add("--timeout", &arguments->timeout,
           "How long QEMU may take to let us in, and to answer each question: 500ms, 10s, 1min")
      .TypeName("DURATION")
      .ShowDefault();
}

void AddKernelInstance(Options* app, size_t* instance) {
  app->Add("--kernel-instance", instance,
           "Which of the kernels in memory, where there are several; 1 is the one that runs")
      .TypeName("N");
}

Result<std::unique_ptr<QmpClient>> Connect(const MachineArguments& arguments) {
  if (arguments.qmp.empty() && arguments.pid == 0) {
    return Fail(ErrorCode::kInvalidArgument, "which machine? Name it with --qmp or --pid");
  }
  const auto timeout =
      std::chrono::ceil<std::chrono::milliseconds>(KTSTR_TRY(ParseDuration(arguments.timeout)));
  if (timeout.count() < 1) {
    return Fail(ErrorCode::kInvalidArgument, "--timeout 0 leaves QEMU no time to answer");
  }
  const std::string address =
      arguments.qmp.empty() ? KTSTR_TRY(MonitorOfProcess(arguments.pid)) : arguments.qmp;
  auto qmp = KTSTR_TRY(QmpClient::Connect(address, timeout));
  qmp->SetTimeout(timeout);
  return qmp;
}

void AddArchiveOptions(Options* app, ArchiveArguments* arguments) {
  app->Add("-o,--output", &arguments->output, "The archive to write, usually NAME.kts")
      .TypeName("FILE");
  app->Add("-f,--force", &arguments->force, "Overwrite FILE if it exists");
  app->Add("--keep", &arguments->keep,
           "Of the guest's memory: all of it, or the kernel's own, without pages that are "
           "free, hold contents of files or belong to user space")
      .TypeName("all|kernel")
      .OneOf({"all", "kernel"})
      .ShowDefault();
  app->Add("--level", &arguments->level,
           "How hard it is compressed, from -5 (fastest) to 19 (smallest, 85 times as slow)")
      .TypeName("N")
      .Between(kLeastLevel, kMostLevel)
      .ShowDefault();
  app->Add("--tag", &arguments->tags, "A note kept in the archive; may be repeated")
      .TypeName("KEY=VALUE")
      .OneEach();
}

Status RunCapture(QmpClient& qmp, const ArchiveArguments& arguments, CaptureOptions options) {
  const auto summary = KTSTR_TRY(
      CaptureWithProgress(arguments, std::move(options),
                          [&](const CaptureOptions& filled) { return Capture(qmp, filled); }));
  return Output::Standard().Write(SummaryLine(arguments.output, summary));
}

Status RunCaptureHost(const ArchiveArguments& arguments, CaptureOptions options) {
  const auto summary = KTSTR_TRY(
      CaptureWithProgress(arguments, std::move(options),
                          [](const CaptureOptions& filled) { return CaptureHost(filled); }));
  return Output::Standard().Write(SummaryLine(arguments.output, summary, Captured::kHost));
}

Status RunCaptureFrozen(Frozen& frozen, const ArchiveArguments& arguments, CaptureOptions options) {
  const auto summary = KTSTR_TRY(CaptureWithProgress(
      arguments, std::move(options),
      [&](const CaptureOptions& filled) { return CaptureFrozen(frozen, filled); }));
  fmt::print(stderr, "{}", SummaryLine(arguments.output, summary));
  return {};
}

}  // namespace ktstr

#include "capture/host_capture.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "capture/describe_kernel.h"
#include "capture/system/spare_memory.h"
#include "libcore/base/quantity.h"
#include "libcore/host/host_kernel.h"
#include "libcore/host/host_metadata.h"
#include "libcore/host/host_snapshot.h"
#include "libcore/kernel/image_store.h"
#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/memory/all_classes.h"
#include "libcore/walk/sched/dsq.h"
#include "libcore/walk/sched/rq_task.h"
#include "libcore/walk/sched/scx.h"
#include "libcore/walk/sched/scx_cpu.h"
#include "libcore/walk/task/task.h"

namespace ktstr {

namespace {

using std::chrono::steady_clock;

constexpr uint64_t kMostStaying = uint64_t{256} << 20;
// More than the writer has in the works at a time.
constexpr uint64_t kMostPassing = uint64_t{96} << 20;
constexpr uint64_t kMostReserve = uint64_t{256} << 20;

// Whether there is room on the file system that an archive is written to.
class DiskGuard {
 public:
  explicit DiskGuard(const std::string& output)
      : directory_(std::filesystem::absolute(output).parent_path()) {}

  // Errors: kIo when so little is left that others would come to harm.
  Status Check() const {
    struct statvfs disk = {};
    if (statvfs(directory_.c_str(), &disk) != 0) return {};  // the writer finds out why
    const uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
    const uint64_t all = uint64_t{disk.f_blocks} * disk.f_frsize;
    if (free >= std::min(kMostReserve, all / 20)) return {};
    return Fail(ErrorCode::kIo,
                fmt::format("only {} are left where {} would be: nothing is written, so that this "
                            "machine does not run out of disk space",
                            FormatSize(free), directory_.string()));
  }

 private:
  std::filesystem::path directory_;
};

// Tells the writer when to stop, and afterwards why.
class HostWatch {
 public:
  HostWatch(const CaptureOptions& options, const DiskGuard& disk)
      : options_(options), disk_(disk) {}

  void Progress(uint64_t done, uint64_t all) {
    if (options_.cancel != nullptr && options_.cancel->load()) cancelled_ = true;
    if (!full_) NoteWhetherFull();
    if (cancelled_ || full_) stop_ = true;
    if (options_.progress) options_.progress(done, all);
  }
  const std::atomic<bool>* stop() const { return &stop_; }
  // The error in place of the writer's.
  Error Explain(Error error) const {
    if (cancelled_) return Error(ErrorCode::kIo, "the capture was interrupted");
    return full_ ? *full_ : error;
  }

 private:
  void NoteWhetherFull() {
    const Status room = disk_.Check();
    if (!room) full_.emplace(room.error());
  }

  const CaptureOptions& options_;
  const DiskGuard& disk_;
  std::atomic<bool> stop_ = false;
  bool cancelled_ = false;
  std::optional<Error> full_;
};

// How much of what walkers of the scheduler's state meet looks torn. What a walk cannot begin with
// is nothing that another try would change.
size_t WalkSchedulerState(const GuestKernel& kernel) {
  size_t torn = 0;
  const auto add = [&torn](const auto& walked) {
    if (walked) torn += CountOfTearable(walked->anomalies);
  };
  kernel.address_space().Flush();
  add(WalkCpus(kernel));
  add(WalkRqTasks(kernel));
  add(WalkScx(kernel));
  add(WalkScxCpus(kernel));
  add(WalkDsqs(kernel));
  add(WalkTasks(kernel));
  return torn;
}

// The pages of the scheduler's state, copied within as long as it takes to walk it: the best of
// three. Whoever walks the archive sees just what was seen then, and compares no waiting task with
// a clock of seconds later.
HostSnapshot::Pages SchedulerPages(const GuestKernel& kernel, HostSnapshot& memory) {
  constexpr int kMostTries = 3;
  HostSnapshot::Pages best;
  size_t least = SIZE_MAX;
  for (int i = 0; i < kMostTries && least > 0; ++i) {
    memory.BeginKeeping();
    const size_t torn = WalkSchedulerState(kernel);
    auto pages = memory.TakeKept();
    if (torn >= least) continue;
    least = torn;
    best = std::move(pages);
  }
  return best;
}

int Threads() {
  // A machine that is ill has other work, too.
  constexpr unsigned kMostThreads = 4;
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads));
}

}  // namespace

Result<CaptureSummary> CaptureHost(const CaptureOptions& options, const HostFiles& files) {
  KTSTR_TRY(CheckOutput(options.output, options.overwrite));
  const DiskGuard disk(options.output);
  KTSTR_TRY(disk.Check());
  const auto host = KTSTR_TRY(HostMemory::Open(files));
  HostSnapshot memory(*host, std::min(SpareMemory() / 4, kMostStaying), kMostPassing);
  const std::unique_ptr<ImageStore> images = ImageStore::OfUser();
  GuestKernelOptions open = HostKernelOptions(memory, files);
  open.images = images.get();
  const auto kernel = KTSTR_TRY(OpenHostKernel(*host, memory, open));
  CaptureSummary summary;
  ArchiveMetadata metadata = HostMetadata(options.captured_by + " " KTSTR_VERSION, options.trigger);
  metadata.trigger_detail = options.trigger_detail;
  metadata.tags = options.tags;
  metadata.kept = "kernel";
  DescribeKernel(*kernel, &metadata, &summary.warnings);
  summary.kernel_release = kernel->release();

  const auto begun = steady_clock::now();
  HostSnapshot::Pages scheduler = SchedulerPages(*kernel, memory);
  const auto classes = KTSTR_TRY(AllClasses::Read(*kernel, open));
  const ArchiveContents contents = {
      .memory = memory,
      .vcpus = {},
      .device_state = {},
      .metadata = std::move(metadata),
      .filter = [&classes](Pfn pfn, uint64_t most) { return classes.AlikeFrom(pfn, most); }};
  memory.BeginPassing(std::move(scheduler));
  HostWatch watch(options, disk);
  const ArchiveWriteOptions write = {
      .overwrite = options.overwrite,
      .threads = Threads(),
      .compression_level = options.compression_level,
      .progress = [&](uint64_t done, uint64_t all) { watch.Progress(done, all); },
      .memory_done = [&]() -> Status {
        summary.frozen_for =
            std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun);
        return {};
      },
      .cancel = watch.stop()};
  auto written = WriteArchive(options.output, contents, write);
  if (!written) return Fail(watch.Explain(std::move(written).error()));
  summary.archive = *std::move(written);
  return summary;
}

}  // namespace ktstr

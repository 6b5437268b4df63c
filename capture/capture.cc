#include "capture/capture.h"

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <system_error>

#include "capture/copy_estimate.h"
#include "capture/describe_kernel.h"
#include "capture/find_notes.h"
#include "capture/live_memory.h"
#include "capture/qemu/device_state.h"
#include "capture/qemu/json_access.h"
#include "capture/qemu/machine_facts.h"
#include "capture/qemu/process_info.h"
#include "capture/qemu/ram_map.h"
#include "capture/qemu/unplugged.h"
#include "capture/system/spare_memory.h"
#include "libcore/base/buffer_pool.h"
#include "libcore/base/output_place.h"
#include "libcore/base/side_thread.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/kernel/image_store.h"
#include "libcore/qemu/vcpu_state.h"
#include "libcore/walk/memory/all_classes.h"
#include "libcore/walk/system/kernels.h"

namespace ktstr {

namespace {

struct Copies {
  uint64_t most_bytes = 0;
  std::shared_ptr<BufferPool> buffers;
};

// What can be found out while the guest still runs, so that it stands still for less long.
struct Prepared {
  pid_t pid = 0;
  std::unique_ptr<LiveMemory> memory;
  std::vector<Pa> notes;   // where VMCOREINFO notes lie: a kernel does not move its own
  bool has_notes = false;  // whether they were looked for
  MachineFacts facts;
  // So that the guest need not stand still while symbols are decoded that were seen before.
  std::unique_ptr<ImageStore> images = ImageStore::OfUser();
  Copies copies;  // of a guest that runs, and will go on
};

// Where the pages of a guest that goes on are copied to while it stands still: memory that the
// system has cleared and handed over before.
Copies MakeReadyForCopies(const LiveMemory& memory, const CaptureOptions& options) {
  Copies copies = {
      .most_bytes = SpareMemory(),
      .buffers = std::make_shared<BufferPool>(kCopyBufferBytes, BufferPool::PageSize::kSmall)};
  if (options.keep == Keep::kAll && !memory.slow_while_running()) {
    const uint64_t bytes = std::min(EstimateCopies(memory), memory.MostTouched() * kPageSize);
    copies.buffers->Reserve(std::min(copies.most_bytes, bytes), MemoryThreads());
  }
  return copies;
}

// `still`: the guest is frozen already.
Result<Prepared> Prepare(QmpClient& qmp, const CaptureOptions& options, bool still) {
  Prepared prepared;
  prepared.pid = options.pid != 0 ? options.pid : KTSTR_TRY(qmp.PeerPid());
  prepared.memory = KTSTR_TRY(LiveMemory::Map(KTSTR_TRY(FindRam(qmp, prepared.pid))));
  prepared.memory->Hide(options.planted);
  prepared.facts = KTSTR_TRY(AskMachineFacts(qmp));
  prepared.memory->SetStill(still);
  const bool goes_on =
      !still && options.then == AfterCapture::kResume && KTSTR_TRY(AskRunState(qmp)).running;
  if (goes_on) prepared.copies = MakeReadyForCopies(*prepared.memory, options);
  if (!still && prepared.memory->slow_while_running()) return prepared;
  prepared.notes = options.keep == Keep::kKernel
                       ? FindNotes(qmp, *prepared.memory, prepared.images.get())
                       : PlacesOf(Vmcoreinfo::FindAll(*prepared.memory));
  prepared.has_notes = true;
  return prepared;
}

Result<ArchiveMetadata> DescribeMachine(Frozen& frozen, const Prepared& prepared,
                                        const CaptureOptions& options) {
  QmpClient& qmp = frozen.qmp();
  ArchiveMetadata metadata;
  metadata.vmm_version = "QEMU " + qmp.qemu_version();
  metadata.vmm_command_line = KTSTR_TRY(ReadCommandLine(prepared.pid));
  metadata.vmm_machine = prepared.facts.type;
  metadata.cpu_features = prepared.facts.cpu_features;
  metadata.run_state = frozen.state_before();
  const nlohmann::json kvm = KTSTR_TRY(qmp.Execute("query-kvm"));
  const nlohmann::json* enabled = JsonMember(kvm, "enabled");
  if (enabled == nullptr || !enabled->is_boolean()) {
    return Fail(StrangeAnswer(qmp.name(), "query-kvm", kvm));
  }
  metadata.accelerator = enabled->get<bool>() ? "kvm" : "tcg";
  metadata.captured_at_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(frozen.since().time_since_epoch())
          .count();
  metadata.captured_by = options.captured_by + " " KTSTR_VERSION;
  metadata.trigger = options.trigger;
  metadata.trigger_detail = options.trigger_detail;
  metadata.tags = options.tags;
  metadata.parent_digest = options.parent_digest;
  return metadata;
}

// Has the archive leave out what is not the kernel's.
void KeepKernelOnly(const GuestKernel& kernel, const GuestKernelOptions& open,
                    ArchiveContents* contents, std::vector<std::string>* warnings) {
  auto read = AllClasses::Read(kernel, open);
  if (!read) {
    warnings->push_back("everything is kept: " + read.error().ToString());
    return;
  }
  if (const uint64_t unreadable = read->unreadable_pages(); unreadable > 0) {
    warnings->push_back(fmt::format(
        "{} pages are kept since the kernel's account of them cannot be read", unreadable));
  }
  contents->metadata.kept = "kernel";
  contents->filter = [all = std::make_shared<AllClasses>(*std::move(read))](
                         Pfn pfn, uint64_t most) { return all->AlikeFrom(pfn, most); };
}

// A guest without a kernel that can be found (firmware, another system) is captured all the same,
// and whole.
std::unique_ptr<GuestKernel> LookAtKernel(const Prepared& prepared, const CaptureOptions& options,
                                          ArchiveContents* contents, CaptureSummary* summary) {
  const GuestKernelOptions open = {.vmcoreinfo_hints = prepared.notes,
                                   .hints_are_all = prepared.has_notes,
                                   .images = prepared.images.get()};
  auto kernel = GuestKernel::Open(*prepared.memory, contents->vcpus, open);
  if (!kernel) {
    summary->warnings.push_back(fmt::format(
        "no kernel found in the guest's memory{}: {}",
        options.keep == Keep::kAll ? "" : ", so everything is kept", kernel.error().ToString()));
    return nullptr;
  }
  DescribeKernel(**kernel, &contents->metadata, &summary->warnings);
  summary->kernel_release = (*kernel)->release();
  summary->kernels = KernelsText(**kernel);
  if (options.keep == Keep::kKernel) KeepKernelOnly(**kernel, open, contents, &summary->warnings);
  return *std::move(kernel);
}

// Tells the writer to stop when the caller wants it or QEMU has died.
class Watch {
 public:
  Watch(const QmpClient& qmp, const LiveMemory& memory, const CaptureOptions& options)
      : qmp_(qmp), memory_(memory), options_(options) {}

  void Progress(uint64_t done, uint64_t all) {
    died_ = died_ || HasHungUp(qmp_.fd());
    cancelled_ = cancelled_ || (options_.cancel != nullptr && options_.cancel->load());
    if (died_ || cancelled_ || memory_.failure()) stop_ = true;
    if (options_.progress) options_.progress(done, all);
  }

  const std::atomic<bool>* stop() const { return &stop_; }
  // The error in place of the writer's.
  Error Explain(Error error) const {
    if (died_) return Error(ErrorCode::kPeer, qmp_.name() + " ended during the capture");
    if (cancelled_) return Error(ErrorCode::kIo, "the capture was interrupted");
    if (auto failure = memory_.failure()) return *std::move(failure);
    return error;
  }

 private:
  const QmpClient& qmp_;
  const LiveMemory& memory_;
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

// Takes the blocks out of memory that the guest does not have now; says how many pages they are.
Result<uint64_t> LeaveOutUnplugged(QmpClient& qmp, std::span<const std::byte> device_state,
                                   LiveMemory& memory, CaptureSummary* summary) {
  Unplugged unplugged = FindUnplugged(KTSTR_TRY(VirtioMemDevices(qmp)), device_state);
  for (const std::string& id : unplugged.unknown) {
    summary->warnings.push_back(
        fmt::format("which blocks of the virtio-mem device {} are plugged is not known: those that "
                    "are not count as the guest's, and as zeros",
                    id));
  }
  uint64_t pages = 0;
  for (const MemoryRegion& region : unplugged.regions) pages += region.page_count();
  memory.Unplug(std::move(unplugged.regions));
  return pages;
}

// Writes the archive of a machine that stands still. `memory_done` is called when its memory is not
// needed any more.
Result<CaptureSummary> Write(Frozen& frozen, const Prepared& prepared,
                             const CaptureOptions& options, std::function<Status()> memory_done) {
  const auto device_state = KTSTR_TRY(SaveDeviceState(frozen));
  const auto vcpus = KTSTR_TRY(ParseVcpus(*device_state));
  CaptureSummary summary;
  const uint64_t unplugged =
      KTSTR_TRY(LeaveOutUnplugged(frozen.qmp(), *device_state, *prepared.memory, &summary));
  ArchiveContents contents = {.memory = *prepared.memory,
                              .vcpus = vcpus,
                              .device_state = *device_state,
                              .metadata = KTSTR_TRY(DescribeMachine(frozen, prepared, options))};
  contents.metadata.unplugged_pages = unplugged;
  const std::unique_ptr<GuestKernel> kernel = LookAtKernel(prepared, options, &contents, &summary);

  // While the memory is what it was decoded of.
  const auto image = kernel != nullptr ? kernel->SealImage() : std::nullopt;

  Watch watch(frozen.qmp(), *prepared.memory, options);
  const ArchiveWriteOptions write = {
      .overwrite = options.overwrite,
      .compression_level = options.compression_level,
      .copy_bytes = prepared.copies.most_bytes,
      .copies = prepared.copies.buffers,
      .progress = [&](uint64_t done, uint64_t all) { watch.Progress(done, all); },
      .memory_done = std::move(memory_done),
      .accept = options.accept,
      .cancel = watch.stop()};
  auto written = WriteArchive(options.output, contents, write);
  if (!written) return Fail(watch.Explain(std::move(written).error()));
  summary.archive = *std::move(written);
  if (image) kernel->KeepImage(*image);
  return summary;
}

}  // namespace

Status CheckOutput(const std::string& output, bool overwrite) {
  return overwrite ? Status() : CheckNothingAt(output, "overwrite it with --force");
}

Result<CaptureSummary> CaptureFrozen(Frozen& frozen, const CaptureOptions& options) {
  KTSTR_TRY(CheckOutput(options.output, options.overwrite));
  const Prepared prepared = KTSTR_TRY(Prepare(frozen.qmp(), options, true));
  CaptureSummary summary = KTSTR_TRY(Write(frozen, prepared, options, nullptr));
  summary.frozen_for = frozen.Age();
  return summary;
}

Result<CaptureSummary> Capture(QmpClient& qmp, const CaptureOptions& options) {
  // Before the guest is stopped for nothing.
  KTSTR_TRY(CheckOutput(options.output, options.overwrite));
  const Prepared prepared = KTSTR_TRY(Prepare(qmp, options, false));
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(qmp));
  const auto since = std::chrono::steady_clock::now() - frozen.Age();
  std::chrono::microseconds frozen_for{};
  const auto take_time = [&] {
    frozen_for = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - since);
  };
  frozen.OnResume(take_time);
  prepared.memory->SetStill(true);
  // The guest goes on as soon as its memory is read; the disk may take its time.
  const auto memory_done = [&]() -> Status {
    take_time();  // where it does not go on
    return options.then == AfterCapture::kResume ? frozen.Resume() : Status();
  };
  auto written = Write(frozen, prepared, options, memory_done);
  if (!written) return Fail(frozen.ResumeAfter(std::move(written).error()));
  written->frozen_for = frozen_for;
  if (options.then == AfterCapture::kQuit) {
    const auto ended = qmp.Execute("quit");
    if (!ended) return Fail(frozen.ResumeAfter(GoneAfterWriting(options, ended.error())));
    frozen.Abandon();
  }
  return written;
}

}  // namespace ktstr

#include "replay/vmcore/import.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/memory/all_classes.h"

namespace ktstr::vmcore {

namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

std::string LevelText(const Vmcore& vmcore) {
  if (!vmcore.dump_level) return "";
  return fmt::format(", dump level {}", *vmcore.dump_level);
}

// What the notes say of registers, where that can be believed. A crashed kernel saves them of those
// CPUs that answer, and the notes do not say which CPU each is of.
std::vector<VcpuRegisters> VcpusOf(const Vmcore& vmcore) {
  if (vmcore.notes.own) return vmcore.notes.own->vcpus;
  return vmcore.notes.of_qemu ? vmcore.notes.vcpus : std::vector<VcpuRegisters>();
}

// The kernel in the dump, and what becomes of the archive by it.
class KernelOfDump {
 public:
  KernelOfDump(const Vmcore& vmcore, std::vector<VcpuRegisters>* vcpus, ImportSummary* summary)
      : vmcore_(vmcore), vcpus_(vcpus), summary_(summary) {
    auto opened = GuestKernel::Open(*vmcore.memory, *vcpus, {});
    if (opened) {
      kernel_ = *std::move(opened);
    } else {
      Warn("no kernel found in the dump's memory: " + opened.error().ToString());
    }
  }

  void Describe(ArchiveMetadata* metadata) {
    if (kernel_ == nullptr) return;
    metadata->kernel_release = summary_->kernel_release = kernel_->release();
    metadata->kernel_build_id = kernel_->build_id();
    metadata->derivations = kernel_->derivations();
    const auto cmdline = kernel_->CommandLine();
    if (cmdline) metadata->kernel_cmdline = *cmdline;
    if (!cmdline) Warn("the kernel's command line is unknown: " + cmdline.error().ToString());
  }

  // Registers that only the kernel has saved.
  void TakeSavedRegisters() {
    const CoreNotes& notes = vmcore_.notes;
    if (notes.of_qemu || notes.own) return;
    if (kernel_ != nullptr && !kernel_->saved_registers().empty()) return;
    const auto cpus = kernel_ == nullptr ? Result<uint32_t>(0) : kernel_->CpuCount();
    if (!notes.vcpus.empty() && (kernel_ == nullptr || (cpus && *cpus == notes.vcpus.size()))) {
      *vcpus_ = notes.vcpus;
      return;
    }
    Warn("the dump has no registers that can be told by CPU: they are unknown");
  }

  // Why pages are not in the dump, as far as the kernel tells.
  PageFilter Reasons() {
    if (kernel_ == nullptr || vmcore_.notes.own) return nullptr;
    auto classes = AllClasses::Read(*kernel_, {});
    if (!classes) {
      Warn("why pages were left out is not known: " + classes.error().ToString());
      return nullptr;
    }
    const auto all = std::make_shared<AllClasses>(*std::move(classes));
    return FilterByPage([all, memory = vmcore_.memory.get()](Pfn pfn) {
      return memory->Has(pfn) ? LeftOutReason::kNone : all->Of(pfn);
    });
  }

 private:
  void Warn(std::string text) { summary_->warnings.push_back(std::move(text)); }

  const Vmcore& vmcore_;
  std::vector<VcpuRegisters>* vcpus_;
  ImportSummary* summary_;
  std::unique_ptr<GuestKernel> kernel_;
};

bool IsWhole(const DumpMemory& memory) {
  for (const MemoryRegion& region : memory.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      if (!memory.Has(pfn)) return false;
    }
  }
  return true;
}

ArchiveMetadata MetadataOf(const Vmcore& vmcore, const ImportOptions& options) {
  ArchiveMetadata metadata;
  if (vmcore.notes.own) {
    metadata = vmcore.notes.own->metadata;
  } else {
    metadata.captured_by = options.imported_by;
    metadata.trigger = "import";
    metadata.trigger_detail = vmcore.kind + LevelText(vmcore);
    metadata.captured_at_ns = vmcore.written_at_s * kNsPerSecond;
    metadata.vmm_machine = vmcore.machine_type;
    metadata.run_state = vmcore.run_state;
    metadata.kept = IsWhole(*vmcore.memory) ? "all" : "kernel";
  }
  metadata.tags["imported"] = vmcore.kind + LevelText(vmcore);
  for (const auto& [key, value] : options.tags) metadata.tags[key] = value;
  return metadata;
}

}  // namespace

Result<ImportSummary> ImportVmcore(const Vmcore& vmcore, CutOff cut_off, const std::string& output,
                                   const ImportOptions& options) {
  ImportSummary summary;
  std::vector<VcpuRegisters> vcpus = VcpusOf(vmcore);
  ArchiveMetadata metadata = MetadataOf(vmcore, options);
  PageFilter filter;
  if (vmcore.notes.own) {
    summary.kernel_release = metadata.kernel_release;
  } else {
    KernelOfDump kernel(vmcore, &vcpus, &summary);
    kernel.Describe(&metadata);
    kernel.TakeSavedRegisters();
    if (metadata.kept != "all") filter = kernel.Reasons();
  }
  const ArchiveContents contents = {.memory = *vmcore.memory,
                                    .vcpus = vcpus,
                                    .device_state = vmcore.device_state,
                                    .metadata = std::move(metadata),
                                    .filter = std::move(filter)};
  ArchiveWriteOptions write = {
      .overwrite = options.overwrite, .progress = options.progress, .cancel = options.cancel};
  // What it says that it has it must have.
  write.memory_done = [&vmcore, cut_off]() -> Status {
    auto failure = vmcore.memory->failure();
    if (!failure) return {};
    if (cut_off == CutOff::kAccept && failure->code() != ErrorCode::kIo) return {};
    return Fail(InDump(*vmcore.files.front(), *std::move(failure)));
  };
  summary.archive = KTSTR_TRY(WriteArchive(output, contents, write));
  return summary;
}

}  // namespace ktstr::vmcore

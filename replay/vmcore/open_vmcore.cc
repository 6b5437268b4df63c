#include "replay/vmcore/open_vmcore.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <utility>

#include "libcore/archive/other_format.h"
#include "libcore/qemu/vcpu_state.h"
#include "replay/vmcore/kdump_file.h"
#include "replay/vmcore/qemu_stream.h"
#include "replay/vmcore/save_image.h"

namespace ktstr::vmcore {

namespace {

// When the kernel says that it crashed (kernel/crash_core.c), in seconds of Unix time.
int64_t CrashTimeIn(std::string_view vmcoreinfo) {
  constexpr std::string_view kKey = "\nCRASHTIME=";
  const size_t at = vmcoreinfo.find(kKey);
  int64_t seconds = 0;
  if (at == std::string_view::npos) return 0;
  const std::string_view value = vmcoreinfo.substr(at + kKey.size());
  if (std::from_chars(value.data(), value.data() + value.size(), seconds).ec != std::errc()) {
    return 0;
  }
  return seconds;
}

std::string_view MakerOf(const CoreNotes& notes) {
  if (notes.own) return " of ktstr";
  if (notes.of_qemu) return " of QEMU";
  return notes.vcpus.empty() ? "" : " of the kernel";
}

Status OpenElf(Vmcore& vmcore, CutOff cut_off) {
  const DumpFile& dump = *vmcore.files.front();
  if (vmcore.files.size() > 1) {
    return Fail(ErrorCode::kInvalidArgument, "only kdump-compressed dumps are of several files");
  }
  const ElfCore core = KTSTR_TRY(ReadElfCore(BytesOf(dump)));
  vmcore.notes = KTSTR_TRY(ParseCoreNotes(core.notes));
  std::vector<MemoryRegion> regions;
  if (vmcore.notes.own) regions = vmcore.notes.own->regions;
  vmcore.memory = KTSTR_TRY(ElfCoreMemory(dump, core, std::move(regions), cut_off));
  vmcore.kind = fmt::format("ELF core{}", MakerOf(vmcore.notes));
  return {};
}

Status OpenKdump(Vmcore& vmcore) {
  std::vector<KdumpPart> parts;
  for (const auto& file : vmcore.files) {
    auto part = ReadKdumpPart(*file);
    if (!part) return Fail(InDump(*file, std::move(part).error()));
    parts.push_back(*std::move(part));
  }
  const KdumpPart& first = parts.front();
  vmcore.notes = KTSTR_TRY(ParseCoreNotes(first.notes));
  if (first.header.version >= 3 && vmcore.notes.vmcoreinfo.empty()) {
    const uint64_t size = std::min<uint64_t>(first.sub_header.size_vmcoreinfo, kPageSize);
    std::string text(size, '\0');
    if (first.dump->ReadAt(first.sub_header.offset_vmcoreinfo,
                           std::as_writable_bytes(std::span(text)))) {
      vmcore.notes.vmcoreinfo = std::move(text);
    }
  }
  if (first.header.version >= 1 && first.sub_header.dump_level != 0) {
    vmcore.dump_level = first.sub_header.dump_level;
  }
  vmcore.written_at_s = first.header.seconds;
  vmcore.kind = fmt::format("kdump-compressed dump{}", MakerOf(vmcore.notes));
  vmcore.memory = KTSTR_TRY(KdumpMemory(std::move(parts)));
  return {};
}

Status OpenStream(Vmcore& vmcore, const DumpFile& dump, uint64_t begin) {
  QemuStream stream = KTSTR_TRY(ReadQemuStream(dump, begin));
  vmcore.device_state = std::move(stream.device_state);
  vmcore.machine_type = stream.machine_type;
  vmcore.notes.vcpus = KTSTR_TRY(ParseVcpus(vmcore.device_state));
  vmcore.notes.of_qemu = true;
  vmcore.memory = KTSTR_TRY(StreamMemory(dump, std::move(stream)));
  return {};
}

Status OpenSaveImage(Vmcore& vmcore, const OpenOptions& options) {
  const SaveImage image = KTSTR_TRY(ReadSaveImage(*vmcore.files.front()));
  vmcore.kind = image.compression.empty()
                    ? std::string("save file of libvirt")
                    : fmt::format("save file of libvirt ({})", image.compression);
  vmcore.run_state = image.was_running ? "running" : "paused";
  if (image.compression.empty()) {
    return OpenStream(vmcore, *vmcore.files.front(), image.stream_at);
  }
  vmcore.files.push_back(
      KTSTR_TRY(DecompressStream(*vmcore.files.front(), image, options.most_decompressed)));
  return OpenStream(vmcore, *vmcore.files.back(), 0);
}

Status OpenByContents(Vmcore& vmcore, const OpenOptions& options) {
  const DumpFile& dump = *vmcore.files.front();
  if (options.raw) {
    if (vmcore.files.size() > 1) {
      return Fail(ErrorCode::kInvalidArgument, "only kdump-compressed dumps are of several files");
    }
    vmcore.memory = KTSTR_TRY(RawMemory(dump, options.ranges));
    vmcore.kind = "raw RAM";
    return {};
  }
  std::array<std::byte, archive::kTellingBytes> bytes;
  const auto begin = std::span(bytes).first(std::min<uint64_t>(bytes.size(), dump.size()));
  KTSTR_TRY(dump.ReadAt(0, begin));
  if (IsElf(begin)) return OpenElf(vmcore, options.cut_off);
  if (IsKdump(begin)) return OpenKdump(vmcore);
  if (vmcore.files.size() > 1) {
    return Fail(ErrorCode::kInvalidArgument, "only kdump-compressed dumps are of several files");
  }
  if (IsSaveImage(begin)) return OpenSaveImage(vmcore, options);
  if (IsQemuStream(begin)) {
    vmcore.kind = "migration stream of QEMU";
    return OpenStream(vmcore, dump, 0);
  }
  const std::string_view other = archive::OtherFormat(begin);
  return Fail(ErrorCode::kUnsupported,
              other.empty() ? std::string("it is no ELF core, kdump-compressed dump, save file or "
                                          "migration stream; "
                                          "the bytes of RAM alone are taken with --format raw")
                            : fmt::format("it {}", other));
}

}  // namespace

Result<Vmcore> OpenVmcore(const std::vector<std::string>& paths, const OpenOptions& options) {
  Vmcore vmcore;
  for (const std::string& path : paths) {
    std::error_code none;
    if (std::filesystem::equivalent(path, "/proc/kcore", none)) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{} is the memory of this machine, which runs: 'ktstr-analyze --live' "
                      "asks it, 'ktstr-capture --host -o x.kts' keeps it",
                      path));
    }
    vmcore.files.push_back(std::make_unique<DumpFile>(KTSTR_TRY(DumpFile::Open(path))));
  }
  auto opened = OpenByContents(vmcore, options);
  if (!opened) return Fail(InDump(*vmcore.files.front(), std::move(opened).error()));
  if (vmcore.notes.own) vmcore.memory->SetAbsent(vmcore.notes.own->absent);
  if (const int64_t crashed = CrashTimeIn(vmcore.notes.vmcoreinfo)) vmcore.written_at_s = crashed;
  return vmcore;
}

}  // namespace ktstr::vmcore

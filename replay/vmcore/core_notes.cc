#include "replay/vmcore/core_notes.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "libcore/archive/bytes.h"
#include "libcore/archive/metadata_codec.h"
#include "libcore/archive/sections.h"
#include "libcore/archive/vcpu_codec.h"
#include "replay/vmcore/cpu_notes.h"

namespace ktstr::vmcore {

namespace {

using archive::AsText;
using archive::ByteSink;
using archive::ByteSource;

constexpr std::string_view kCore = "CORE", kQemu = "QEMU", kVmcoreinfo = "VMCOREINFO";
constexpr std::string_view kOwn = "KTSTR";
constexpr uint32_t kQemuType = 0, kVmcoreinfoType = 0;
// Types of our own notes: sections of an archive by their payload (FORMAT.md: META, VCPU, RGNS),
// and for each run of absent pages {begin u64, end u64, fate u32 (PageFate), reason u32}.
// None is a type that others use: some tools look at types alone.
enum OwnType : uint32_t { kOwnMetadata = 0x4b545331, kOwnVcpus, kOwnRegions, kOwnAbsent };
constexpr uint32_t OwnBit(uint32_t type) { return uint32_t{1} << (type - kOwnMetadata); }

// More CPUs than any machine has.
constexpr size_t kMostCpus = 1 << 16;

struct ElfNote {
  std::string_view name;
  uint32_t type = 0;
  std::span<const std::byte> contents;
};

constexpr size_t PaddedSize(size_t size) { return (size + 3) & ~size_t{3}; }

std::span<const std::byte> GetPadded(ByteSource& source, size_t size) {
  // The last one's padding may be missing.
  const auto bytes = source.GetBytes(size);
  source.GetBytes(std::min(PaddedSize(size) - size, source.left()));
  return bytes;
}

template <typename Use>
Status ForEachNote(std::span<const std::byte> notes, Use&& use) {
  ByteSource source(notes);
  while (source.left() >= sizeof(Elf64_Nhdr)) {
    const size_t name_size = source.Get<uint32_t>(), size = source.Get<uint32_t>();
    ElfNote note;
    note.type = source.Get<uint32_t>();
    note.name = AsText(GetPadded(source, name_size));
    note.name = note.name.substr(0, note.name.find('\0'));
    note.contents = GetPadded(source, size);
    if (!source.ok()) {
      return Fail(ErrorCode::kDamaged, fmt::format("its notes end within one of {} bytes", size));
    }
    KTSTR_TRY(use(note));
  }
  return {};
}

void PutNote(ByteSink& sink, std::string_view name, uint32_t type,
             std::span<const std::byte> contents) {
  const auto pad = [&sink] {
    while (sink.size() % 4 != 0) sink.Put<uint8_t>(0);
  };
  sink.Put<uint32_t>(static_cast<uint32_t>(name.size() + 1));
  sink.Put<uint32_t>(static_cast<uint32_t>(contents.size()));
  sink.Put<uint32_t>(type);
  sink.PutText(name);
  sink.Put<uint8_t>(0);
  pad();
  sink.PutBytes(contents);
  pad();
}

std::vector<std::byte> EncodeAbsent(std::span<const AbsentPages> absent) {
  ByteSink sink;
  for (const AbsentPages& run : absent) {
    sink.Put<uint64_t>(run.pages.begin.value());
    sink.Put<uint64_t>(run.pages.end.value());
    sink.Put<uint32_t>(static_cast<uint32_t>(run.fate));
    sink.Put<uint32_t>(static_cast<uint32_t>(run.reason));
  }
  return std::move(sink).Take();
}

Result<std::vector<AbsentPages>> DecodeAbsent(std::span<const std::byte> contents) {
  ByteSource source(contents);
  std::vector<AbsentPages> absent;
  Pfn previous(0);
  while (source.left() > 0) {
    AbsentPages run;
    run.pages.begin = Pfn(source.Get<uint64_t>());
    run.pages.end = Pfn(source.Get<uint64_t>());
    const uint32_t fate = source.Get<uint32_t>(), reason = source.Get<uint32_t>();
    const bool left_out = fate == static_cast<uint32_t>(PageFate::kNotCaptured);
    const bool damaged = fate == static_cast<uint32_t>(PageFate::kDamaged);
    if (!source.ok() || run.pages.begin < previous || run.pages.end <= run.pages.begin ||
        (!left_out && !damaged) || reason > 255 || (left_out && reason == 0)) {
      return Fail(ErrorCode::kDamaged, "its account of absent pages is malformed");
    }
    run.fate = static_cast<PageFate>(fate);
    run.reason = static_cast<LeftOutReason>(reason);
    previous = run.pages.end;
    absent.push_back(run);
  }
  return absent;
}

class NoteReader {
 public:
  Status Use(const ElfNote& note) {
    if (note.name == kOwn) return UseOwn(note);
    if (note.name == kVmcoreinfo && note.type == kVmcoreinfoType) {
      notes_.vmcoreinfo = std::string(AsText(note.contents));
    } else if (note.name == kCore && note.type == NT_PRSTATUS) {
      if (note.contents.size() != kPrStatusSize || kernels_.size() >= kMostCpus) return {};
      kernels_.push_back(FromPrStatus(note.contents, static_cast<uint32_t>(kernels_.size())));
    } else if (note.name == kQemu && note.type == kQemuType) {
      if (qemus_.size() >= kMostCpus) return {};
      qemus_.push_back(
          KTSTR_TRY(FromQemuState(note.contents, static_cast<uint32_t>(qemus_.size()))));
    }
    return {};
  }

  CoreNotes Take() && {
    notes_.of_qemu = !qemus_.empty();
    notes_.vcpus = notes_.of_qemu ? std::move(qemus_) : std::move(kernels_);
    constexpr uint32_t kAll =
        OwnBit(kOwnMetadata) | OwnBit(kOwnVcpus) | OwnBit(kOwnRegions) | OwnBit(kOwnAbsent);
    if (own_found_ == kAll) notes_.own = std::move(own_);
    return std::move(notes_);
  }

 private:
  Status UseOwn(const ElfNote& note) {
    switch (note.type) {
      case kOwnMetadata:
        own_.metadata = KTSTR_TRY(archive::DecodeMetadata(AsText(note.contents)));
        break;
      case kOwnVcpus:
        own_.vcpus = KTSTR_TRY(archive::DecodeVcpus(note.contents));
        break;
      case kOwnRegions:
        own_.regions = KTSTR_TRY(archive::DecodeRegions(note.contents));
        break;
      case kOwnAbsent:
        own_.absent = KTSTR_TRY(DecodeAbsent(note.contents));
        break;
      default:
        return {};
    }
    own_found_ |= OwnBit(note.type);
    return {};
  }

  CoreNotes notes_;
  OwnNotes own_;
  uint32_t own_found_ = 0;
  std::vector<VcpuRegisters> qemus_, kernels_;
};

}  // namespace

Result<CoreNotes> ParseCoreNotes(std::span<const std::byte> notes) {
  NoteReader reader;
  KTSTR_TRY(ForEachNote(notes, [&reader](const ElfNote& note) { return reader.Use(note); }));
  return std::move(reader).Take();
}

Result<std::vector<std::byte>> MakeCoreNotes(const OwnNotes& own, const std::string& vmcoreinfo) {
  ByteSink sink;
  const auto text = [](const std::string& t) { return std::as_bytes(std::span(t)); };
  for (const VcpuRegisters& vcpu : own.vcpus) PutNote(sink, kCore, NT_PRSTATUS, ToPrStatus(vcpu));
  // A tool that sees one takes all of it for known.
  const bool whole = std::ranges::all_of(own.vcpus, [](const VcpuRegisters& vcpu) {
    return vcpu.Knows(RegisterGroup::kControl) && vcpu.Knows(RegisterGroup::kDescriptors) &&
           vcpu.Knows(RegisterGroup::kGsBase);
  });
  if (whole) {
    for (const VcpuRegisters& vcpu : own.vcpus) PutNote(sink, kQemu, kQemuType, ToQemuState(vcpu));
  }
  if (!vmcoreinfo.empty()) PutNote(sink, kVmcoreinfo, kVmcoreinfoType, text(vmcoreinfo));
  const std::string metadata = KTSTR_TRY(archive::EncodeMetadata(own.metadata));
  PutNote(sink, kOwn, kOwnMetadata, text(metadata));
  PutNote(sink, kOwn, kOwnVcpus, archive::EncodeVcpus(own.vcpus));
  PutNote(sink, kOwn, kOwnRegions, archive::EncodeRegions(own.regions));
  PutNote(sink, kOwn, kOwnAbsent, EncodeAbsent(own.absent));
  return std::move(sink).Take();
}

}  // namespace ktstr::vmcore

#include <algorithm>

#include "libcore/archive/bytes.h"
#include "libcore/memory/elf_header.h"
#include "replay/vmcore/export_plan.h"

namespace ktstr::vmcore {

// The file: ELF header, program headers, perhaps one section header, notes, and from the next page
// on the pages of all segments, ascending. Segments of the kernel's text show the same bytes of the
// file as those of the direct map that hold it, at the addresses by which the kernel calls it; both
// are what /proc/vmcore has (arch/x86/kernel/crash.c).

namespace {

constexpr uint64_t RoundUp(uint64_t value, uint64_t step) {
  return (value + step - 1) / step * step;
}

// Where everything is in the file.
class CoreLayout {
 public:
  CoreLayout(const ExportPlan& plan, std::vector<std::byte> notes)
      : notes_(std::move(notes)), segments_(plan.Segments()) {
    for (size_t i = 0; i < segments_.size(); ++i) {
      const uint64_t pa = segments_[i].begin.pa().value();
      const uint64_t vaddr = plan.page_offset ? (*plan.page_offset + pa).value() : 0;
      AddLoad(i, 0, segments_[i].page_count() * kPageSize, vaddr);
    }
    // Behind the others: crash takes what is before the first segment's bytes for headers.
    AddTextSegments(plan);
    Place();
  }

  const std::vector<std::byte>& notes() const { return notes_; }
  const std::vector<MemoryRegion>& segments() const { return segments_; }
  uint64_t notes_at() const { return notes_at_; }
  // Where the first page of a segment is.
  uint64_t data_at(size_t segment) const { return data_at_[segment]; }
  uint64_t size() const { return size_; }

  std::vector<std::byte> Headers() const {
    archive::ByteSink sink;
    const auto put = [&sink](const auto& header) {
      sink.PutBytes(std::as_bytes(std::span(&header, 1)));
    };
    put(ElfHeader());
    Elf64_Phdr note = {};
    note.p_type = PT_NOTE;
    note.p_offset = notes_at_;
    note.p_filesz = note.p_memsz = notes_.size();
    put(note);
    for (Elf64_Phdr load : loads_) {
      // Until now its offset counted from the begin of the segment that p_align names.
      load.p_offset += data_at_[load.p_align];
      load.p_align = 0;  // as /proc/vmcore has it: crash takes others for netdump's
      put(load);
    }
    if (has_section()) put(CountSection());
    return std::move(sink).Take();
  }

 private:
  bool has_section() const { return 1 + loads_.size() >= PN_XNUM; }

  void AddLoad(size_t segment, uint64_t into, uint64_t size, uint64_t vaddr) {
    Elf64_Phdr load = {};
    load.p_type = PT_LOAD;
    load.p_flags = PF_R | PF_W | PF_X;
    load.p_offset = into;
    load.p_vaddr = vaddr;
    load.p_paddr = segments_[segment].begin.pa().value() + into;
    load.p_filesz = load.p_memsz = size;
    load.p_align = segment;
    loads_.push_back(load);
  }

  void AddTextSegments(const ExportPlan& plan) {
    if (!plan.text) return;
    const uint64_t first = plan.text->pa.value() & ~(kPageSize - 1);
    const uint64_t end =
        RoundUp(plan.text->pa.value() + (plan.text->end - plan.text->begin), kPageSize);
    const uint64_t vaddr = plan.text->begin.value() & ~(kPageSize - 1);
    for (size_t i = 0; i < segments_.size(); ++i) {
      const uint64_t segment = segments_[i].begin.pa().value();
      const uint64_t from = std::max(first, segment);
      const uint64_t to = std::min(end, segments_[i].end.pa().value());
      if (from < to) AddLoad(i, from - segment, to - from, vaddr + (from - first));
    }
  }

  void Place() {
    uint64_t at = sizeof(Elf64_Ehdr) + (1 + loads_.size()) * sizeof(Elf64_Phdr);
    section_at_ = at;
    if (has_section()) at += sizeof(Elf64_Shdr);
    notes_at_ = at;
    at = RoundUp(at + notes_.size(), kPageSize);
    for (const MemoryRegion& segment : segments_) {
      data_at_.push_back(at);
      at += segment.page_count() * kPageSize;
    }
    size_ = at;
  }

  Elf64_Ehdr ElfHeader() const {
    Elf64_Ehdr header = MakeElfHeader(ET_CORE, EM_X86_64);
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<uint16_t>(has_section() ? PN_XNUM : 1 + loads_.size());
    if (has_section()) {
      header.e_shoff = section_at_;
      header.e_shentsize = sizeof(Elf64_Shdr);
      header.e_shnum = 1;
    }
    return header;
  }

  // The number of program headers, where it does not fit into the ELF header.
  Elf64_Shdr CountSection() const {
    Elf64_Shdr section = {};
    section.sh_info = static_cast<uint32_t>(1 + loads_.size());
    return section;
  }

  std::vector<std::byte> notes_;
  std::vector<MemoryRegion> segments_;  // of physical memory
  std::vector<Elf64_Phdr> loads_;       // those of text come last
  uint64_t section_at_ = 0, notes_at_ = 0, size_ = 0;
  std::vector<uint64_t> data_at_;
};

}  // namespace

Result<uint64_t> WriteElfCore(const FrozenMachine& machine, const ExportPlan& plan,
                              ExportTarget& target, const ExportOptions& options) {
  const CoreLayout layout(plan, KTSTR_TRY(MakeCoreNotes(plan.own, plan.vmcoreinfo)));
  KTSTR_TRY(target.Put(0, layout.Headers()));
  KTSTR_TRY(target.Put(layout.notes_at(), layout.notes()));
  ExportProgress progress(plan, options);
  size_t segment = 0;
  for (const ExportPlan::Run& run : plan.runs) {
    while (layout.segments()[segment].end <= run.pages.begin) ++segment;
    if (run.zero) {
      KTSTR_TRY(progress.Add(run.pages.page_count()));
      continue;
    }
    const uint64_t at =
        layout.data_at(segment) + (run.pages.begin - layout.segments()[segment].begin) * kPageSize;
    for (Pfn pfn = run.pages.begin; pfn < run.pages.end; pfn = pfn + 1) {
      const PageView view = KTSTR_TRY(ViewForExport(machine, pfn));
      KTSTR_TRY(target.Put(at + (pfn - run.pages.begin) * kPageSize, view.bytes()));
      KTSTR_TRY(progress.Add(1));
    }
  }
  return layout.size();
}

}  // namespace ktstr::vmcore

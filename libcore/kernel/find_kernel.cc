#include <fmt/format.h>

#include "libcore/kernel/bootstrap.h"

namespace ktstr {

// The kernel's place is worked out in two ways. A VMCOREINFO note says where the kernel's page
// tables are; it is believed if these tables map _stext to where the note's own numbers put it. The
// page tables that a vCPU uses (CR3) say it as well: the first mapped address in the range of
// kernel text is _text. Memory can hold the notes of several kernels; the one that agrees with what
// a vCPU sees is that of the running one. Where no note fits, the vCPU's view is all there is. Both
// answers are recorded.

namespace {

// With page-table isolation a vCPU in user mode holds the root of the user's half-empty tables,
// which is the kernel's root with bit 12 set (PTI_USER_PGTABLE_BIT, arch/x86/mm/pti.c).
constexpr uint64_t kPtiUserBit = uint64_t{1} << 12;

PagingMode ModeOf(const VcpuRegisters& vcpu) {
  return vcpu.five_level_paging() ? PagingMode::kFiveLevel : PagingMode::kFourLevel;
}

bool PagingOn(const VcpuRegisters& vcpu) { return (vcpu.cr0 >> 31) != 0 && vcpu.cr3 != 0; }

// What a set of page tables says about the kernel's text: its first mapped address, or nothing.
std::optional<Kva> FirstText(GuestMemory& memory, Pa root, PagingMode mode) {
  const AddressSpace space(memory, root, mode);
  return space.FirstMapped(kStartKernelMap, kTextRangeEnd).value_or(std::nullopt);
}

// Whether tables at `root` map `_stext` to where the note says it lies.
bool MapsText(GuestMemory& memory, Pa root, PagingMode mode, Kva stext, Pa expected) {
  return AddressSpace(memory, root, mode).Translate(stext) == expected;
}

// A VMCOREINFO whose numbers hold in the page tables that it names itself.
std::optional<KernelPlace> PlaceFromNote(GuestMemory& memory, const Vmcoreinfo& note) {
  KernelPlace place;
  place.vmcoreinfo = note;
  place.phys_base = static_cast<uint64_t>(*note.Number("phys_base"));
  place.root = place.TextToPa(*note.Symbol("swapper_pg_dir"));
  place.paging = note.Number("pgtable_l5_enabled").value_or(0) != 0 ? PagingMode::kFiveLevel
                                                                    : PagingMode::kFourLevel;
  const auto stext = note.Symbol("_stext");
  if (!stext || !MapsText(memory, place.root, place.paging, *stext, place.TextToPa(*stext))) {
    return std::nullopt;
  }
  return place;
}

// The vCPU's view of the text: from its CR3, kernel half restored.
struct CpuView {
  Pa root;
  Kva first_text;
  Pa first_text_pa;
};

std::optional<CpuView> ViewFrom(GuestMemory& memory, const VcpuRegisters& vcpu) {
  if (!PagingOn(vcpu)) return std::nullopt;
  const Pa root = vcpu.page_table_root();
  std::optional<CpuView> best;
  for (const Pa candidate : {root, Pa(root.value() & ~kPtiUserBit)}) {
    const auto text = FirstText(memory, candidate, ModeOf(vcpu));
    if (!text) continue;
    // The user's half-empty tables map only the entry code, which lies above _text.
    if (best && best->first_text <= *text) continue;
    const auto pa = AddressSpace(memory, candidate, ModeOf(vcpu)).Translate(*text);
    if (pa) best = CpuView{candidate, *text, *pa};
  }
  return best;
}

// Of several notes the one that the vCPUs run: memory can hold that of an earlier kernel too
// (kexec, a RAM file used twice). Without a vCPU to ask, the first whose numbers hold.
struct Candidates {
  std::optional<KernelPlace> place;
  bool runs = false;

  void Try(GuestMemory& memory, const std::optional<CpuView>& view,
           const std::vector<Vmcoreinfo>& notes) {
    for (const Vmcoreinfo& note : notes) {
      if (runs) return;
      auto candidate = PlaceFromNote(memory, note);
      if (!candidate) continue;
      runs = view && candidate->TextToPa(view->first_text) == view->first_text_pa;
      if (!place || runs) place = std::move(candidate);
    }
  }
};

std::vector<Vmcoreinfo> ReadNotes(const GuestMemory& memory, std::span<const Pa> at) {
  std::vector<Vmcoreinfo> notes;
  for (const Pa pa : at) {
    if (auto note = Vmcoreinfo::ReadAt(memory, pa)) notes.push_back(*std::move(note));
  }
  return notes;
}

}  // namespace

Result<KernelPlace> FindKernel(GuestMemory& memory, std::span<const VcpuRegisters> vcpus,
                               std::span<const Pa> vmcoreinfo_hints, DerivationLog& log) {
  std::optional<CpuView> view;
  const VcpuRegisters* seen_by = nullptr;
  for (const VcpuRegisters& vcpu : vcpus) {
    const auto here = ViewFrom(memory, vcpu);
    if (here && (!view || here->first_text < view->first_text)) {
      view = here;
      seen_by = &vcpu;
    }
  }

  Candidates candidates;
  candidates.Try(memory, view, ReadNotes(memory, vmcoreinfo_hints));
  size_t notes = 0;
  if (!candidates.runs && (view || !candidates.place)) {
    const std::vector<Vmcoreinfo> found = Vmcoreinfo::FindAll(memory);
    notes = found.size();
    candidates.Try(memory, view, found);
  }
  std::optional<KernelPlace> place = std::move(candidates.place);
  if (!place && !view) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("found no Linux kernel: {} VMCOREINFO notes in memory, {} vCPUs, none of "
                    "whose page tables map kernel text",
                    notes, vcpus.size()));
  }
  if (!place) {
    place = KernelPlace{};
    place->root = view->root;
    place->paging = ModeOf(*seen_by);
    place->phys_base = view->first_text_pa.value() - (view->first_text - kStartKernelMap);
    log.None("phys_base", "vmcoreinfo", "no VMCOREINFO in memory fits the running kernel");
  } else {
    log.Found("vmcoreinfo_pa", "scan", place->vmcoreinfo->pa().value());
    log.Found("phys_base", "vmcoreinfo", place->phys_base);
    log.Found("paging_levels", "vmcoreinfo", place->paging == PagingMode::kFiveLevel ? 5 : 4);
  }
  if (view) {
    place->first_text = view->first_text;
    log.Found("phys_base", "cr3",
              view->first_text_pa.value() - (view->first_text - kStartKernelMap));
    log.Found("paging_levels", "cr4", seen_by->five_level_paging() ? 5 : 4);
  } else {
    log.None("phys_base", "cr3", "no vCPU's page tables map kernel text");
    place->first_text = FirstText(memory, place->root, place->paging);
  }
  place->phys_base = *log.Choose("phys_base");
  log.Choose("paging_levels");
  log.Choose("vmcoreinfo_pa");
  return *std::move(place);
}

}  // namespace ktstr

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "libcore/kernel/bootstrap.h"

namespace ktstr {

// A kernel's place is worked out in two ways. A VMCOREINFO note says where the kernel's page tables
// are; it is believed if these tables map _stext to where the note's own numbers put it. The page
// tables that a vCPU uses (CR3) say it as well: the first mapped address in the range of kernel
// text is _text. Where no note fits what a vCPU that runs sees, that view is all there is of its
// kernel.
//
// Memory can hold several kernels: after a panic the crash kernel runs in memory that the crashed
// one had set aside (crashkernel=), while the other CPUs stay halted in the crashed one
// (crash_nmi_callback, arch/x86/kernel/reboot.c); after a plain kexec, or when a guest was reset,
// what is left of the earlier one lies where nothing else has been put yet. Each vCPU belongs to
// the kernel whose text its page tables map. The first kernel, which is asked when nothing else is
// said, is the one that most vCPUs execute: it is what the machine does, what it answers to, and
// what a live guest would be changed through. A vCPU that is halted with interrupts off executes
// nothing any more. Then come those with halted vCPUs, one that has crashed before one that has
// not, and those without any.

namespace {

// With page-table isolation a vCPU in user mode holds the root of the user's half-empty tables,
// which is the kernel's root with bit 12 set (PTI_USER_PGTABLE_BIT, arch/x86/mm/pti.c).
constexpr uint64_t kPtiUserBit = uint64_t{1} << 12;

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
    const auto text = FirstText(memory, candidate, PagingModeOf(vcpu));
    if (!text) continue;
    // The user's half-empty tables map only the entry code, which lies above _text.
    if (best && best->first_text <= *text) continue;
    const auto pa = AddressSpace(memory, candidate, PagingModeOf(vcpu)).Translate(*text);
    if (pa) best = CpuView{candidate, *text, *pa};
  }
  return best;
}

std::vector<Vmcoreinfo> ReadNotes(const GuestMemory& memory, std::span<const Pa> at) {
  std::vector<Vmcoreinfo> notes;
  for (const Pa pa : at) {
    if (auto note = Vmcoreinfo::ReadAt(memory, pa)) notes.push_back(*std::move(note));
  }
  return notes;
}

std::optional<int64_t> CrashTime(const Vmcoreinfo& note) {
  const auto text = note.Get("CRASHTIME");
  int64_t seconds = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  return error == std::errc() && end == text->data() + text->size() ? std::optional(seconds)
                                                                    : std::nullopt;
}

// Halted with interrupts off: only a reset or an NMI wakes such a CPU.
bool IsParked(const VcpuRegisters& vcpu) {
  constexpr uint64_t kInterruptsOn = uint64_t{1} << 9;
  return vcpu.halted && (vcpu.rflags & kInterruptsOn) == 0;
}

uint64_t PhysBaseOf(const CpuView& view) {
  return view.first_text_pa.value() - (view.first_text - kStartKernelMap);
}

// The kernels, as far as they are known.
class Kernels {
 public:
  Kernels(GuestMemory& memory, std::span<const VcpuRegisters> vcpus)
      : memory_(memory), vcpus_(vcpus) {
    for (const VcpuRegisters& vcpu : vcpus) {
      views_.push_back(ViewFrom(memory, vcpu));
      any_runs_ = any_runs_ || (views_.back() && !IsParked(vcpu));
    }
  }

  // A kernel can have several notes that differ in what was added last: the first counts, but for
  // one that tells of its crash.
  void Add(const std::vector<Vmcoreinfo>& notes) {
    for (const Vmcoreinfo& note : notes) {
      auto place = PlaceFromNote(memory_, note);
      if (!place) continue;
      KernelPlace& known = places_.try_emplace(place->phys_base, *place).first->second;
      const auto crashed = CrashTime(note);
      if (!crashed || known.crashed_at) continue;
      // The note that says so is the one that an archive has to lead to.
      known = *std::move(place);
      known.crashed_at = crashed;
    }
  }
  size_t count() const { return places_.size(); }
  // Whether every vCPU that counts is in one of them.
  bool ExplainVcpus() const {
    for (size_t i = 0; i < views_.size(); ++i) {
      if (Counts(i) && !places_.contains(PhysBaseOf(*views_[i]))) return false;
    }
    return true;
  }
  // With those that only vCPUs tell of, in order.
  KernelsInMemory Take() && {
    KernelsInMemory found;
    for (size_t i = 0; i < views_.size(); ++i) {
      if (Counts(i)) AddView(i);
    }
    for (size_t i = 0; i < views_.size(); ++i) {
      if (views_[i] && !Enter(i)) found.elsewhere.push_back(i);
    }
    std::vector<KernelPlace>& places = found.places;
    for (auto& [phys_base, place] : places_) places.push_back(std::move(place));
    std::stable_sort(places.begin(), places.end(), [](const KernelPlace& a, const KernelPlace& b) {
      const auto rank = [](const KernelPlace& place) {
        return std::tuple(place.running, !place.vcpus.empty(), place.crashed_at.has_value());
      };
      return rank(a) > rank(b);
    });
    return found;
  }

 private:
  // Whether the vCPU's view is believed without a note that it agrees with. Not that of a parked
  // one while others run: its page tables may have been written over since.
  bool Counts(size_t vcpu) const { return views_[vcpu] && (!any_runs_ || !IsParked(vcpus_[vcpu])); }
  void AddView(size_t vcpu) {
    const CpuView& view = *views_[vcpu];
    KernelPlace place;
    place.root = view.root;
    place.paging = PagingModeOf(vcpus_[vcpu]);
    place.phys_base = PhysBaseOf(view);
    places_.try_emplace(place.phys_base, std::move(place));
  }
  // Whether it is in one of them.
  bool Enter(size_t vcpu) {
    const auto found = places_.find(PhysBaseOf(*views_[vcpu]));
    if (found == places_.end()) return false;
    KernelPlace& place = found->second;
    place.vcpus.push_back(vcpu);
    if (!IsParked(vcpus_[vcpu])) ++place.running;
    const Kva text = views_[vcpu]->first_text;
    if (!place.first_text || text < *place.first_text) place.first_text = text;
    return true;
  }

  GuestMemory& memory_;
  std::span<const VcpuRegisters> vcpus_;
  std::vector<std::optional<CpuView>> views_;
  bool any_runs_ = false;
  std::map<uint64_t, KernelPlace> places_;  // by phys_base
};

}  // namespace

Result<KernelsInMemory> FindKernels(GuestMemory& memory, std::span<const VcpuRegisters> vcpus,
                                    const KernelSearch& search) {
  Kernels kernels(memory, vcpus);
  kernels.Add(ReadNotes(memory, search.hints));
  bool all = search.hints_are_all;
  size_t notes = search.hints.size();
  const bool enough =
      kernels.count() > 0 && kernels.ExplainVcpus() && (all || kernels.count() >= search.at_least);
  if (!enough) {
    const std::vector<Vmcoreinfo> scanned = Vmcoreinfo::FindAll(memory);
    notes = scanned.size();
    kernels.Add(scanned);
    all = true;
  }
  KernelsInMemory found = std::move(kernels).Take();
  found.all = all;
  if (found.places.empty()) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("found no Linux kernel: {} VMCOREINFO notes in memory, {} vCPUs, none of "
                    "whose page tables map kernel text",
                    notes, vcpus.size()));
  }
  return found;
}

void LogPlace(GuestMemory& memory, std::span<const VcpuRegisters> vcpus, KernelPlace* place,
              DerivationLog& log) {
  if (place->vmcoreinfo) {
    log.Found("vmcoreinfo_pa", "scan", place->vmcoreinfo->pa().value());
    log.Found("phys_base", "vmcoreinfo", place->phys_base);
    log.Found("paging_levels", "vmcoreinfo", place->paging == PagingMode::kFiveLevel ? 5 : 4);
  } else {
    log.None("phys_base", "vmcoreinfo", "no VMCOREINFO in memory fits the running kernel");
  }
  std::optional<CpuView> view;
  for (const size_t i : place->vcpus) {
    const auto here = ViewFrom(memory, vcpus[i]);
    if (!here || (view && view->first_text <= here->first_text)) continue;
    view = here;
  }
  if (view) {
    log.Found("phys_base", "cr3", PhysBaseOf(*view));
    log.Found("paging_levels", "cr4", vcpus[place->vcpus.front()].five_level_paging() ? 5 : 4);
  } else {
    log.None("phys_base", "cr3", "no vCPU's page tables map kernel text");
    place->first_text = FirstText(memory, place->root, place->paging);
  }
  place->phys_base = *log.Choose("phys_base");
  log.Choose("paging_levels");
  log.Choose("vmcoreinfo_pa");
}

}  // namespace ktstr

#include "capture/find_notes.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "capture/qemu/register_text.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/memory/page_classes.h"

namespace ktstr {

namespace {

// A kernel makes its note as it boots (crash_save_vmcoreinfo_init, kernel/vmcore_info.c), when the
// page allocator has given little away: it takes it from the begin of the highest zone that there
// is. Zones begin at 16 MiB and at 4 GiB (arch/x86/mm/init.c).
constexpr uint64_t kZoneBegins[] = {uint64_t{16} << 20, uint64_t{4} << 30};
constexpr uint64_t kNearBegin = uint64_t{64} << 20;

std::vector<MemoryRegion> NearZoneBegins(const GuestMemory& memory) {
  std::vector<MemoryRegion> parts;
  for (const MemoryRegion& region : memory.regions()) {
    for (const uint64_t begins : kZoneBegins) {
      const MemoryRegion part{std::max(region.begin, Pfn::Of(Pa(begins))),
                              std::min(region.end, Pfn::Of(Pa(begins + kNearBegin)))};
      if (part.begin < part.end) parts.push_back(part);
    }
  }
  return parts;
}

// What the kernel that runs says of each page. Nothing where these notes lead to no kernel, or some
// vCPU is in none of theirs: what is left of an earlier kernel says nothing of memory any more.
std::optional<PageClasses> ClassesOfRunning(QmpClient& qmp, LiveMemory& memory,
                                            const std::vector<Pa>& notes,
                                            const ImageStore* images) {
  const auto text = qmp.HumanCommand("info registers -a");
  if (!text) return std::nullopt;
  const std::vector<VcpuRegisters> vcpus = ParseRegisterText(*text);
  const auto kernel = GuestKernel::Open(
      memory, vcpus, {.vmcoreinfo_hints = notes, .hints_are_all = true, .images = images});
  if (!kernel || !(*kernel)->vmcoreinfo()) return std::nullopt;
  const KernelInstance& first = (*kernel)->instances().front();
  if (vcpus.empty() || first.vcpus.size() != vcpus.size()) return std::nullopt;
  auto classes = PageClasses::Read(**kernel);
  if (!classes) return std::nullopt;
  return *std::move(classes);
}

}  // namespace

std::vector<Pa> PlacesOf(const std::vector<Vmcoreinfo>& notes) {
  std::vector<Pa> places;
  for (const Vmcoreinfo& note : notes) places.push_back(note.pa());
  return places;
}

std::vector<Pa> FindNotes(QmpClient& qmp, LiveMemory& memory, const ImageStore* images,
                          uint64_t many_pages) {
  std::optional<PageClasses> classes;
  if (memory.MostTouched() >= many_pages) {
    const std::vector<Vmcoreinfo> near =
        Vmcoreinfo::FindIn(memory, NearZoneBegins(memory), nullptr);
    if (!near.empty()) classes = ClassesOfRunning(qmp, memory, PlacesOf(near), images);
  }
  if (!classes) return PlacesOf(Vmcoreinfo::FindAll(memory));
  const auto skip = [&classes](Pfn pfn) { return classes->Of(pfn) == LeftOutReason::kUserData; };
  return PlacesOf(Vmcoreinfo::FindIn(memory, memory.regions(), skip));
}

}  // namespace ktstr

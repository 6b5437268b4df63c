// Proves: whatever another tool's dump holds, opening it and looking at its pages, its notes and
// the kernel in it ends, within the file's bytes and with memory in proportion to them.
//
// Input: a byte that chooses. 0: the dump, save file or stream as it is, whatever it is; 1: its
// notes alone; 2: the bytes of one compressed page, with its flags before them; 3: raw RAM, and a
// text that says where; 4: what a kernel shows as /proc/kcore, the rest of a line before it as
// /sys/kernel/vmcoreinfo.
#include "fuzz.h"
#include "libcore/host/host_kernel.h"
#include "replay/vmcore/open_vmcore.h"
#include "replay/vmcore/page_codec.h"

namespace ktstr::fuzz {
namespace {

constexpr uint64_t kMostPages = 300;

void LookAt(const vmcore::Vmcore& dump) {
  uint64_t viewed = 0;
  Pfn previous_end(0);
  for (const MemoryRegion& region : dump.memory->regions()) {
    Require(previous_end <= region.begin && region.begin < region.end, "regions are in order");
    previous_end = region.end;
    for (Pfn pfn = region.begin; pfn < region.end && ++viewed < kMostPages; pfn = pfn + 1) {
      const PageView page = dump.memory->View(pfn);
      Require(page.fate() != PageFate::kOutside, "a page of a region is one");
      Require(dump.memory->Has(pfn) || !page.readable(), "what is not there cannot be read");
    }
  }
}

void Open(std::span<const std::byte> bytes, vmcore::OpenOptions options) {
  options.most_decompressed = 1 << 20;
  const MemoryFile file(bytes);
  const auto dump = vmcore::OpenVmcore({file.path()}, options);
  if (dump) LookAt(*dump);
}

void OpenHost(std::string_view line, std::span<const std::byte> bytes) {
  const MemoryFile kcore(bytes), vmcoreinfo(std::as_bytes(std::span(line)));
  const HostFiles files = {.kcore = kcore.path(),
                           .page_flags = kcore.path(),
                           .vmcoreinfo = vmcoreinfo.path(),
                           .lockdown = vmcoreinfo.path()};
  const auto memory = HostMemory::Open(files);
  if (!memory) return;
  uint64_t viewed = 0;
  for (const MemoryRegion& region : (*memory)->regions()) {
    for (Pfn pfn = region.begin; pfn < region.end && ++viewed < kMostPages; pfn = pfn + 1) {
      Require((*memory)->View(pfn).fate() != PageFate::kOutside, "a page of a region is one");
    }
  }
  (void)HostKernelOptions(**memory, files);
}

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  using namespace ktstr::fuzz;
  if (size == 0) return 0;
  const auto rest = AsBytes(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      Open(rest, {});
      Open(rest, {.cut_off = vmcore::CutOff::kAccept});
      break;
    case 1:
      (void)vmcore::ParseCoreNotes(rest);
      break;
    case 2: {
      std::array<std::byte, kPageSize> page;
      if (!rest.empty()) (void)vmcore::DecompressPage(data[1], rest.subspan(1), page);
      break;
    }
    case 3: {
      const std::string_view text = AsText(data + 1, std::min<size_t>(size - 1, 40));
      const auto range = vmcore::ParseRawRange(text.substr(0, text.find('\n')));
      if (range) Open(rest, {.raw = true, .ranges = {*range}});
      Open(rest, {.raw = true});
      break;
    }
    case 4: {
      const std::string_view line =
          AsText(data + 1, size - 1).substr(0, AsText(data + 1, size - 1).find('\n'));
      OpenHost(line, rest.subspan(std::min(rest.size(), line.size() + 1)));
      break;
    }
  }
  return 0;
}

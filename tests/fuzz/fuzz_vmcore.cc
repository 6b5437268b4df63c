// Proves: whatever another tool's dump holds, opening it and looking at its pages, its notes and
// the kernel in it ends, within the file's bytes and with memory in proportion to them.
//
// Input: a byte that chooses. 0: the dump as it is, whatever it is; 1: its notes alone; 2: the
// bytes of one compressed page, with its flags before them; 3: raw RAM, and a text that says where.
#include "fuzz.h"
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

void Open(std::span<const std::byte> bytes, const vmcore::OpenOptions& options) {
  const MemoryFile file(bytes);
  const auto dump = vmcore::OpenVmcore({file.path()}, options);
  if (dump) LookAt(*dump);
}

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  using namespace ktstr::fuzz;
  if (size == 0) return 0;
  const auto rest = AsBytes(data + 1, size - 1);
  switch (data[0] % 4) {
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
  }
  return 0;
}

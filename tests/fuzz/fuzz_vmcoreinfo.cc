// Proves: whatever a VMCOREINFO note says, and wherever a guest puts notes, reading them ends.
#include "fixtures/synthetic/buffer_memory.h"
#include "fuzz.h"
#include "libcore/image/kallsyms.h"
#include "libcore/image/vmcoreinfo.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  const auto ask = [](const Vmcoreinfo& note) {
    (void)note.build_id();
    (void)note.kernel_offset();
    (void)note.Symbol("_stext");
    (void)note.Number("phys_base");
    (void)KallsymsTables::From(note);
  };
  if (const auto note = Vmcoreinfo::Parse(fuzz::AsText(data, size), Pa(0x1000))) ask(*note);

  synthetic::BufferMemory memory(16 * kPageSize);
  memory.PutBytes(Pa(kPageSize), fuzz::AsBytes(data, std::min<size_t>(size, 12 * kPageSize)));
  for (const Vmcoreinfo& note : Vmcoreinfo::FindAll(memory)) ask(note);
  for (const uint64_t at : {uint64_t{0}, uint64_t{0x1018}, uint64_t{0xfff8}, uint64_t{1} << 60}) {
    if (const auto note = Vmcoreinfo::ReadAt(memory, Pa(at))) ask(*note);
  }
  return 0;
}

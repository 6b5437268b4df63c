// Proves: whatever an ELF file holds, taking symbols, types and build ID out of it ends and stays
// within the file.
#include "fuzz.h"
#include "libcore/image/type_info.h"
#include "libcore/image/vmlinux.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  const auto vmlinux = Vmlinux::Read(fuzz::MemoryFile(fuzz::AsBytes(data, size)).path());
  if (!vmlinux) return 0;
  for (size_t i = 0; i < vmlinux->symbols.size(); ++i) {
    (void)vmlinux->symbols.Find(vmlinux->symbols.at(i).name);
  }
  (void)TypeInfo::Parse(vmlinux->btf);
  return 0;
}

// The ORC tables of the kernel and its modules, out of guest memory: of the kernel's what an
// address needs, a module's when an address in it is asked for.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "libcore/image/orc.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/code/text_symbols.h"
#include "libcore/walk/row/walk.h"
#include "libcore/walk/stack/kernel_orc.h"

namespace ktstr {

class OrcTables {
 public:
  // Finds the kernel's own table, for Find. Errors: kNotFound (a kernel without ORC: its stacks are
  // unwound by frame pointers), kUnsupported (registers of unknown numbers), kDamaged, and those of
  // reading.
  static Result<OrcTables> Open(const Walk& walk, const TextSymbols& text);

  // How to unwind from `ip`, which lies in `place`. Nothing for text that the tables do not cover,
  // as all BPF is. Errors: those of reading the kernel's table.
  Result<std::optional<OrcEntry>> Find(Kva ip, const TextPlace& place);

  // All of the kernel's own. Errors: those of reading, and of a table out of order kDamaged.
  Result<OrcTable> ReadKernelTable() const { return kernel_.ReadWhole(); }
  // That of a module, by its place in TextSymbols::modules(); an empty one where there is none.
  const OrcTable& TableOf(size_t module);

 private:
  OrcTables(const Walk& walk, const TextSymbols& text, const OrcFormat& format, KernelOrc kernel)
      : walk_(walk), text_(&text), format_(format), kernel_(std::move(kernel)) {}

  Walk walk_;
  const TextSymbols* text_;
  OrcFormat format_;
  KernelOrc kernel_;
  std::map<size_t, OrcTable> module_tables_;
};

}  // namespace ktstr

// The ORC tables of the kernel and its modules, out of guest memory; a module's is read when an
// address in it is asked for.
#pragma once

#include <map>
#include <optional>

#include "libcore/image/orc.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/code/text_symbols.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

class OrcTables {
 public:
  // Reads the kernel's own table. Errors: kNotFound (a kernel without ORC: its stacks are unwound
  // by frame pointers), kUnsupported (registers of unknown numbers), kDamaged, and those of
  // reading.
  static Result<OrcTables> Read(const Walk& walk, const TextSymbols& text);

  // How to unwind from `ip`, which lies in `place`. Nothing for text that the tables do not cover,
  // as all BPF is.
  std::optional<OrcEntry> Find(Kva ip, const TextPlace& place);

  // The kernel's own, and that of a module, by its place in TextSymbols::modules(); an empty one
  // where there is none.
  const OrcTable& kernel_table() const { return table_; }
  const OrcTable& TableOf(size_t module);

 private:
  OrcTables(const Walk& walk, const TextSymbols& text) : walk_(walk), text_(&text) {}

  Walk walk_;
  const TextSymbols* text_;
  OrcFormat format_;
  OrcTable table_;
  std::map<size_t, OrcTable> module_tables_;
};

}  // namespace ktstr

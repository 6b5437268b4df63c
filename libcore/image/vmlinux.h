// vmlinux: symbols and types out of the kernel's ELF file, for guests whose memory does not have
// them.
#pragma once

#include <string>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/image/symbol_table.h"

namespace ktstr {

struct Vmlinux {
  SymbolTable symbols;         // link-time addresses
  std::vector<std::byte> btf;  // the .BTF section; empty when there is none
  std::string build_id;        // hexadecimal; empty when there is none

  // Errors: kNotFound (no such file), kIo, kDamaged (not an x86-64 ELF file, no symbol table),
  // kUnsupported (no libelf).
  static Result<Vmlinux> Read(const std::string& path);
};

}  // namespace ktstr

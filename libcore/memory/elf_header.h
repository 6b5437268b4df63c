// What every ELF file of ours begins with.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>

namespace ktstr {

// Of a 64-bit little-endian machine; says nothing of segments and sections yet.
inline Elf64_Ehdr MakeElfHeader(uint16_t type, uint16_t machine) {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = type;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  return header;
}

}  // namespace ktstr

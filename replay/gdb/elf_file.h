// ELF files of sections alone, as tools read symbols from: for a 64-bit little-endian machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ktstr {

// One section; elf.h has the constants (SHT_*, SHF_*).
struct ElfSection {
  std::string name;
  uint32_t type = 0;
  uint64_t flags = 0;
  uint64_t address = 0;
  std::string bytes;
  uint64_t memory_size = 0;  // of one without bytes in the file (SHT_NOBITS)
  uint32_t link = 0, info = 0;
  uint64_t entry_size = 0;
};

// The file's bytes; `sections` are numbered from 1 on, and their names come behind them.
std::string MakeElf(uint16_t type, uint16_t machine, std::vector<ElfSection> sections);

// The bytes of a struct of elf.h.
template <typename T>
void AppendStruct(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace ktstr

#include "replay/gdb/elf_file.h"

#include "libcore/memory/elf_header.h"

namespace ktstr {

std::string MakeElf(uint16_t type, uint16_t machine, std::vector<ElfSection> sections) {
  sections.push_back({".shstrtab", SHT_STRTAB, 0, 0, std::string(1, '\0')});
  std::vector<uint32_t> names;
  for (const ElfSection& section : sections) {
    std::string& text = sections.back().bytes;
    names.push_back(static_cast<uint32_t>(text.size()));
    text += section.name;
    text += '\0';
  }
  std::string body;
  std::vector<Elf64_Shdr> headers(1);
  for (size_t i = 0; i < sections.size(); ++i) {
    const ElfSection& section = sections[i];
    body.resize((body.size() + 7) / 8 * 8);
    Elf64_Shdr header = {};
    header.sh_name = names[i];
    header.sh_type = section.type;
    header.sh_flags = section.flags;
    header.sh_addr = section.address;
    header.sh_offset = sizeof(Elf64_Ehdr) + body.size();
    header.sh_size = section.type == SHT_NOBITS ? section.memory_size : section.bytes.size();
    header.sh_link = section.link;
    header.sh_info = section.info;
    header.sh_addralign = 1;
    header.sh_entsize = section.entry_size;
    headers.push_back(header);
    body += section.bytes;
  }
  body.resize((body.size() + 7) / 8 * 8);

  Elf64_Ehdr file = MakeElfHeader(type, machine);
  file.e_shentsize = sizeof(Elf64_Shdr);
  file.e_shoff = sizeof file + body.size();
  // More sections than a number of 16 bits counts: the first header has it (elf(5), e_shnum).
  const size_t names_at = headers.size() - 1;
  if (headers.size() >= SHN_LORESERVE) {
    headers[0].sh_size = headers.size();
    headers[0].sh_link = static_cast<uint32_t>(names_at);
    file.e_shstrndx = SHN_XINDEX;
  } else {
    file.e_shnum = static_cast<uint16_t>(headers.size());
    file.e_shstrndx = static_cast<uint16_t>(names_at);
  }
  std::string bytes;
  AppendStruct(bytes, file);
  bytes += body;
  for (const Elf64_Shdr& header : headers) AppendStruct(bytes, header);
  return bytes;
}

}  // namespace ktstr

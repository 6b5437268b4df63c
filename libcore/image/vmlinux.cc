#include "libcore/image/vmlinux.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "libcore/image/elf_library.h"

namespace ktstr {

namespace {

struct FileCloser {
  int fd;
  ~FileCloser() { close(fd); }
};

// nm's letter for a symbol, as far as kallsyms distinguishes them.
char TypeLetter(const ElfLibrary& libelf, const GElf_Sym& symbol, Elf* elf) {
  const bool local = GELF_ST_BIND(symbol.st_info) == STB_LOCAL;
  const auto letter = [&](char global) { return local ? static_cast<char>(global + 32) : global; };
  if (symbol.st_shndx == SHN_ABS) return letter('A');
  if (GELF_ST_BIND(symbol.st_info) == STB_WEAK) return 'W';
  GElf_Shdr header;
  Elf_Scn* section = libelf.getscn(elf, symbol.st_shndx);
  if (section == nullptr || libelf.getshdr(section, &header) == nullptr) return '?';
  if ((header.sh_flags & SHF_EXECINSTR) != 0) return letter('T');
  if (header.sh_type == SHT_NOBITS) return letter('B');
  return (header.sh_flags & SHF_WRITE) != 0 ? letter('D') : letter('R');
}

void AddSymbols(const ElfLibrary& libelf, Elf* elf, Elf_Scn* section, const GElf_Shdr& header,
                SymbolTable::Builder& builder) {
  Elf_Data* data = libelf.getdata(section, nullptr);
  const size_t count =
      data == nullptr || header.sh_entsize == 0 ? 0 : header.sh_size / header.sh_entsize;
  for (size_t i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (libelf.getsym(data, static_cast<int>(i), &symbol) == nullptr) continue;
    const int type = GELF_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || type == STT_FILE || type == STT_SECTION) continue;
    const char* name = libelf.strptr(elf, header.sh_link, symbol.st_name);
    if (name == nullptr || *name == '\0' || std::strlen(name) > UINT16_MAX) continue;
    builder.Add(name, symbol.st_value, TypeLetter(libelf, symbol, elf));
  }
}

std::string ReadBuildId(const ElfLibrary& libelf, Elf_Scn* section) {
  Elf_Data* data = libelf.getdata(section, nullptr);
  GElf_Nhdr note;
  size_t name_at, descriptor_at;
  for (size_t at = 0; data != nullptr;) {
    const size_t next = libelf.getnote(data, at, &note, &name_at, &descriptor_at);
    if (next == 0) break;
    const char* bytes = static_cast<const char*>(data->d_buf);
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        std::memcmp(bytes + name_at, "GNU", 4) == 0) {
      std::string text;
      for (size_t i = 0; i < note.n_descsz; ++i) {
        text += fmt::format("{:02x}", static_cast<uint8_t>(bytes[descriptor_at + i]));
      }
      return text;
    }
    at = next;
  }
  return {};
}

}  // namespace

Result<Vmlinux> Vmlinux::Read(const std::string& path) {
  const ElfLibrary& libelf = *KTSTR_TRY(ElfLibrary::Load());
  libelf.version(EV_CURRENT);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int error = errno;
    return Fail(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                fmt::format("cannot open {}: {}", path, std::strerror(error)));
  }
  const FileCloser closer{fd};
  const std::unique_ptr<Elf, int (*)(Elf*)> elf(libelf.begin(fd, ELF_C_READ_MMAP, nullptr),
                                                libelf.end);
  GElf_Ehdr header;
  if (elf == nullptr || libelf.kind(elf.get()) != ELF_K_ELF ||
      libelf.getehdr(elf.get(), &header) == nullptr || header.e_machine != EM_X86_64) {
    return Fail(ErrorCode::kDamaged, fmt::format("{} is not an x86-64 ELF file", path));
  }
  size_t name_table;
  if (libelf.getshdrstrndx(elf.get(), &name_table) != 0) {
    return Fail(ErrorCode::kDamaged, fmt::format("{} has no section names", path));
  }
  Vmlinux vmlinux;
  SymbolTable::Builder builder;
  for (Elf_Scn* section = nullptr; (section = libelf.nextscn(elf.get(), section)) != nullptr;) {
    GElf_Shdr section_header;
    if (libelf.getshdr(section, &section_header) == nullptr) continue;
    const char* name = libelf.strptr(elf.get(), name_table, section_header.sh_name);
    if (name == nullptr) continue;
    if (section_header.sh_type == SHT_SYMTAB) {
      AddSymbols(libelf, elf.get(), section, section_header, builder);
    } else if (section_header.sh_type == SHT_NOTE && vmlinux.build_id.empty()) {
      vmlinux.build_id = ReadBuildId(libelf, section);
    } else if (std::string_view(name) == ".BTF") {
      const Elf_Data* data = libelf.rawdata(section, nullptr);
      // A section that takes no room in the file has a size, but no bytes.
      if (data == nullptr || data->d_buf == nullptr) continue;
      const auto* bytes = static_cast<const std::byte*>(data->d_buf);
      vmlinux.btf.assign(bytes, bytes + data->d_size);
    }
  }
  vmlinux.symbols = std::move(builder).Build();
  if (vmlinux.symbols.size() == 0) {
    return Fail(ErrorCode::kDamaged, fmt::format("{} has no symbol table (is it stripped?)", path));
  }
  return vmlinux;
}

}  // namespace ktstr

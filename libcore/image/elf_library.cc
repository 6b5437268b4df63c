#include "libcore/image/elf_library.h"

#include "libcore/base/shared_library.h"

namespace ktstr {

namespace {

Result<ElfLibrary> LoadElfOnce() {
  const SharedLibrary library = KTSTR_TRY(SharedLibrary::Load("libelf.so.1", "reading a vmlinux"));
  ElfLibrary found;
  KTSTR_TRY(library.Find("elf_version", found.version));
  KTSTR_TRY(library.Find("elf_begin", found.begin));
  KTSTR_TRY(library.Find("elf_end", found.end));
  KTSTR_TRY(library.Find("elf_kind", found.kind));
  KTSTR_TRY(library.Find("elf_getshdrstrndx", found.getshdrstrndx));
  KTSTR_TRY(library.Find("elf_nextscn", found.nextscn));
  KTSTR_TRY(library.Find("elf_getscn", found.getscn));
  KTSTR_TRY(library.Find("elf_getdata", found.getdata));
  KTSTR_TRY(library.Find("elf_rawdata", found.rawdata));
  KTSTR_TRY(library.Find("elf_strptr", found.strptr));
  KTSTR_TRY(library.Find("gelf_getehdr", found.getehdr));
  KTSTR_TRY(library.Find("gelf_getshdr", found.getshdr));
  KTSTR_TRY(library.Find("gelf_getsym", found.getsym));
  KTSTR_TRY(library.Find("gelf_getnote", found.getnote));
  return found;
}

}  // namespace

Result<const ElfLibrary*> ElfLibrary::Load() { return LoadedOnce(&LoadElfOnce); }

}  // namespace ktstr

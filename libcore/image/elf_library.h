// ElfLibrary: libelf, which only a vmlinux file needs, loaded when there is one. With zlib, which
// it needs itself, it would be a twentieth of the time that a question takes whose index is there.
#pragma once

#include <gelf.h>
#include <libelf.h>

#include "libcore/base/result.h"

namespace ktstr {

// libelf's functions by their names without "elf_" and "gelf_".
struct ElfLibrary {
  decltype(&elf_version) version = nullptr;
  decltype(&elf_begin) begin = nullptr;
  decltype(&elf_end) end = nullptr;
  decltype(&elf_kind) kind = nullptr;
  decltype(&elf_getshdrstrndx) getshdrstrndx = nullptr;
  decltype(&elf_nextscn) nextscn = nullptr;
  decltype(&elf_getscn) getscn = nullptr;
  decltype(&elf_getdata) getdata = nullptr;
  decltype(&elf_rawdata) rawdata = nullptr;
  decltype(&elf_strptr) strptr = nullptr;
  decltype(&gelf_getehdr) getehdr = nullptr;
  decltype(&gelf_getshdr) getshdr = nullptr;
  decltype(&gelf_getsym) getsym = nullptr;
  decltype(&gelf_getnote) getnote = nullptr;

  // The library stays loaded. Errors: kUnsupported where the system has none.
  static Result<const ElfLibrary*> Load();
};

}  // namespace ktstr

#include "analyze/shell/edit_library.h"

#include "libcore/base/shared_library.h"

namespace ktstr {

namespace {

Result<EditLibrary> LoadEditOnce() {
  const SharedLibrary library =
      KTSTR_TRY(SharedLibrary::Load("libedit.so.2", "typing at a terminal"));
  EditLibrary found;
  KTSTR_TRY(library.Find("el_init", found.init));
  KTSTR_TRY(library.Find("el_end", found.end));
  KTSTR_TRY(library.Find("el_reset", found.reset));
  KTSTR_TRY(library.Find("el_resize", found.resize));
  KTSTR_TRY(library.Find("el_gets", found.gets));
  KTSTR_TRY(library.Find("el_set", found.set));
  KTSTR_TRY(library.Find("el_get", found.get));
  KTSTR_TRY(library.Find("el_source", found.source));
  KTSTR_TRY(library.Find("el_line", found.line));
  KTSTR_TRY(library.Find("el_insertstr", found.insertstr));
  KTSTR_TRY(library.Find("el_deletestr", found.deletestr));
  KTSTR_TRY(library.Find("history", found.history));
  KTSTR_TRY(library.Find("history_init", found.history_init));
  KTSTR_TRY(library.Find("history_end", found.history_end));
  return found;
}

}  // namespace

Result<const EditLibrary*> EditLibrary::Load() { return LoadedOnce(&LoadEditOnce); }

}  // namespace ktstr

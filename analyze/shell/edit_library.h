// EditLibrary: libedit, which only a shell on a terminal needs, loaded when there is one. With the
// three libraries that it needs itself it would be a fourteenth of the time that a question takes
// whose index is there.
#pragma once

#include <histedit.h>

#include "libcore/base/result.h"

namespace ktstr {

// libedit's functions by their names without "el_" (editline(3)).
struct EditLibrary {
  decltype(&el_init) init = nullptr;
  decltype(&el_end) end = nullptr;
  decltype(&el_reset) reset = nullptr;
  decltype(&el_resize) resize = nullptr;
  decltype(&el_gets) gets = nullptr;
  decltype(&el_set) set = nullptr;
  decltype(&el_get) get = nullptr;
  decltype(&el_source) source = nullptr;
  decltype(&el_line) line = nullptr;
  decltype(&el_insertstr) insertstr = nullptr;
  decltype(&el_deletestr) deletestr = nullptr;
  decltype(&::history) history = nullptr;
  decltype(&::history_init) history_init = nullptr;
  decltype(&::history_end) history_end = nullptr;

  // The library stays loaded. Errors: kUnsupported where the system has none.
  static Result<const EditLibrary*> Load();
};

}  // namespace ktstr

// SharedLibrary: a library of the system that few commands need, loaded by name when one does: what
// is linked is loaded at every start, which a short question has to wait for.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/result.h"

namespace ktstr {

class SharedLibrary {
 public:
  // `soname` is the file's name with the version of its interface, that of the headers that were
  // compiled; `what` takes it, as people are told who lack it. The library stays loaded. Errors:
  // kUnsupported where the system has none.
  static Result<SharedLibrary> Load(const char* soname, std::string_view what);

  // Errors: kUnsupported where the library has no function of that name.
  template <typename Function>
  Status Find(const char* name, Function*& function) const {
    function = reinterpret_cast<Function*>(KTSTR_TRY(AddressOf(name)));
    return {};
  }

 private:
  SharedLibrary(void* handle, std::string needed) : handle_(handle), needed_(std::move(needed)) {}
  Result<void*> AddressOf(const char* name) const;

  void* handle_;
  std::string needed_;  // how an error begins
};

// The functions of a library, which `load` finds at the first call. Errors: those of `load`, at
// each call.
template <typename Functions>
Result<const Functions*> LoadedOnce(Result<Functions> (*load)()) {
  static const Result<Functions> functions = load();
  if (!functions) return Fail(functions.error());
  return &*functions;
}

}  // namespace ktstr

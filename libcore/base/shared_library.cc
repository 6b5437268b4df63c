#include "libcore/base/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace ktstr {

namespace {

std::string LoaderError() {
  const char* why = dlerror();
  return why != nullptr ? why : "unknown";
}

}  // namespace

Result<SharedLibrary> SharedLibrary::Load(const char* soname, std::string_view what) {
  std::string needed = fmt::format("{} takes {}", what, soname);
  void* const handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return SharedLibrary(handle, std::move(needed));
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{}, which cannot be loaded: {}", needed, LoaderError()));
}

Result<void*> SharedLibrary::AddressOf(const char* name) const {
  dlerror();
  void* const address = dlsym(handle_, name);
  if (address != nullptr) return address;
  return Fail(ErrorCode::kUnsupported, fmt::format("{}, and that of this system is another one: {}",
                                                   needed_, LoaderError()));
}

}  // namespace ktstr

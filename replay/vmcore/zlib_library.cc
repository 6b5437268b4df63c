#include "replay/vmcore/zlib_library.h"

#include "libcore/base/shared_library.h"

namespace ktstr::vmcore {

namespace {

Result<ZlibLibrary> LoadZlib() {
  const auto library = KTSTR_TRY(SharedLibrary::Load("libz.so.1", "a dump compressed by zlib"));
  ZlibLibrary found;
  KTSTR_TRY(library.Find("uncompress", found.uncompress));
  KTSTR_TRY(library.Find("compress2", found.compress2));
  return found;
}

}  // namespace

const Result<ZlibLibrary>& ZlibLibrary::Load() {
  static const Result<ZlibLibrary> library = LoadZlib();
  return library;
}

}  // namespace ktstr::vmcore

// ZlibLibrary: zlib, which only dumps need that are compressed by it, loaded when there is one.
#pragma once

#include <zlib.h>

#include "libcore/base/result.h"

namespace ktstr::vmcore {

// zlib's functions by their names.
struct ZlibLibrary {
  decltype(&::uncompress) uncompress = nullptr;
  decltype(&::compress2) compress2 = nullptr;

  // The library stays loaded. Errors: kUnsupported where the system has none.
  static const Result<ZlibLibrary>& Load();
};

}  // namespace ktstr::vmcore

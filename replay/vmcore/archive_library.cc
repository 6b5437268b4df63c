#include "replay/vmcore/archive_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace ktstr::vmcore {

namespace {

// Of libarchive 3, all versions of it.
constexpr char kSoname[] = "libarchive.so.13";

template <typename Function>
bool FindFunction(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool FindAll(void* library, ArchiveLibrary& found) {
  const auto filter = [&](const char* name, auto& function) {
    return FindFunction(library, name, function);
  };
  return filter("archive_read_new", found.read_new) &&
         filter("archive_read_free", found.read_free) &&
         filter("archive_read_support_filter_gzip", found.read_support_filter_gzip) &&
         filter("archive_read_support_filter_bzip2", found.read_support_filter_bzip2) &&
         filter("archive_read_support_filter_xz", found.read_support_filter_xz) &&
         filter("archive_read_support_filter_lzop", found.read_support_filter_lzop) &&
         filter("archive_read_support_filter_zstd", found.read_support_filter_zstd) &&
         filter("archive_read_support_format_raw", found.read_support_format_raw) &&
         filter("archive_read_open", found.read_open) &&
         filter("archive_read_next_header", found.read_next_header) &&
         filter("archive_read_data", found.read_data) &&
         filter("archive_error_string", found.error_string) &&
         filter("archive_set_error", found.set_error);
}

Result<ArchiveLibrary> LoadOnce() {
  void* const library = dlopen(kSoname, RTLD_NOW | RTLD_LOCAL);
  ArchiveLibrary found;
  if (library != nullptr && FindAll(library, found)) return found;
  const char* why = dlerror();
  return Fail(ErrorCode::kUnsupported,
              fmt::format("decompressing it takes {}, which cannot be loaded: {}", kSoname,
                          why != nullptr ? why : "unknown"));
}

}  // namespace

Result<const ArchiveLibrary*> ArchiveLibrary::Load() {
  static const Result<ArchiveLibrary> library = LoadOnce();
  if (!library) return Fail(library.error());
  return &*library;
}

}  // namespace ktstr::vmcore

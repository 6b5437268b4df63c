#include "replay/vmcore/archive_library.h"

#include "libcore/base/shared_library.h"

namespace ktstr::vmcore {

namespace {

Result<ArchiveLibrary> LoadOnce() {
  // Of libarchive 3, all versions of it.
  const SharedLibrary library =
      KTSTR_TRY(SharedLibrary::Load("libarchive.so.13", "decompressing it"));
  ArchiveLibrary found;
  KTSTR_TRY(library.Find("archive_read_new", found.read_new));
  KTSTR_TRY(library.Find("archive_read_free", found.read_free));
  KTSTR_TRY(library.Find("archive_read_support_filter_gzip", found.read_support_filter_gzip));
  KTSTR_TRY(library.Find("archive_read_support_filter_bzip2", found.read_support_filter_bzip2));
  KTSTR_TRY(library.Find("archive_read_support_filter_xz", found.read_support_filter_xz));
  KTSTR_TRY(library.Find("archive_read_support_filter_lzop", found.read_support_filter_lzop));
  KTSTR_TRY(library.Find("archive_read_support_filter_zstd", found.read_support_filter_zstd));
  KTSTR_TRY(library.Find("archive_read_support_format_raw", found.read_support_format_raw));
  KTSTR_TRY(library.Find("archive_read_open", found.read_open));
  KTSTR_TRY(library.Find("archive_read_next_header", found.read_next_header));
  KTSTR_TRY(library.Find("archive_read_data", found.read_data));
  KTSTR_TRY(library.Find("archive_error_string", found.error_string));
  KTSTR_TRY(library.Find("archive_set_error", found.set_error));
  return found;
}

}  // namespace

Result<const ArchiveLibrary*> ArchiveLibrary::Load() { return LoadedOnce(&LoadOnce); }

}  // namespace ktstr::vmcore

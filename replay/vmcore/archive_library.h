// ArchiveLibrary: libarchive, which few dumps need, loaded when one does. With the libraries that
// it needs itself, XML and Unicode among them, it would be a sixth of the time that a question
// takes whose index is there.
#pragma once

#include <archive.h>

#include "libcore/base/result.h"

namespace ktstr::vmcore {

// libarchive's functions by their names without "archive_" (libarchive(3)).
struct ArchiveLibrary {
  decltype(&archive_read_new) read_new = nullptr;
  decltype(&archive_read_free) read_free = nullptr;
  decltype(&archive_read_support_filter_gzip) read_support_filter_gzip = nullptr;
  decltype(&archive_read_support_filter_bzip2) read_support_filter_bzip2 = nullptr;
  decltype(&archive_read_support_filter_xz) read_support_filter_xz = nullptr;
  decltype(&archive_read_support_filter_lzop) read_support_filter_lzop = nullptr;
  decltype(&archive_read_support_filter_zstd) read_support_filter_zstd = nullptr;
  decltype(&archive_read_support_format_raw) read_support_format_raw = nullptr;
  decltype(&archive_read_open) read_open = nullptr;
  decltype(&archive_read_next_header) read_next_header = nullptr;
  decltype(&archive_read_data) read_data = nullptr;
  decltype(&archive_error_string) error_string = nullptr;
  decltype(&archive_set_error) set_error = nullptr;

  // The library stays loaded. Errors: kUnsupported where the system has none.
  static Result<const ArchiveLibrary*> Load();
};

}  // namespace ktstr::vmcore

// Writes a frozen machine to a .kts file (FORMAT.md), in one pass, with several threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "libcore/archive/compression_level.h"
#include "libcore/archive/metadata.h"
#include "libcore/base/buffer_pool.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"
#include "libcore/memory/vcpu.h"

namespace ktstr {

// Says of the page at a frame whether it is to be left out (kNone keeps it), and of how many from
// there on, at least 1 and at most the second argument, the same holds. Asked in order, about each
// page once.
using PageFilter = std::function<AlikePages(Pfn, uint64_t)>;

// A filter that is asked about each page.
template <typename Reason>
PageFilter FilterByPage(Reason reason) {
  return [reason = std::move(reason)](Pfn pfn, uint64_t) { return AlikePages{reason(pfn), 1}; };
}

// The machine to write. Nothing here may change while it is being written: memory of a machine that
// runs is one of which each page stays what it was when it was first looked at (HostSnapshot).
struct ArchiveContents {
  const GuestMemory& memory;
  std::span<const VcpuRegisters> vcpus;
  std::span<const std::byte> device_state;  // as the VMM itself saves it; empty if there is none
  ArchiveMetadata metadata;
  PageFilter filter = nullptr;  // nullptr keeps every page
};

// Of the buffers that ArchiveWriteOptions::copies are made of.
inline constexpr uint64_t kCopyBufferBytes = 512 << 10;

struct ArchiveWriteOptions {
  bool overwrite = false;
  int threads = 0;  // 0: one per CPU
  int compression_level = kKernelPagesLevel;
  // Pages that are compressed together, a power of two up to 1024: more of them make a smaller file
  // and a slower page miss.
  uint32_t pages_per_frame = 8;
  // Of memory, for copies of pages: as far as they reach, the guest's memory is read first, and
  // compressed when it is not needed any more, at a lower priority. 0 where nobody waits for it.
  uint64_t copy_bytes = 0;
  // Where copies are put, if its buffers are as large as kCopyBufferBytes; nullptr: wherever. For
  // who has made them ready before the guest stood still.
  std::shared_ptr<BufferPool> copies = nullptr;
  // Called from the writing thread now and then: pages done, pages in all.
  std::function<void(uint64_t, uint64_t)> progress = nullptr;
  // Called once, when all pages have been read: the guest's memory may change from then on. Its
  // error ends the writing.
  std::function<Status()> memory_done = nullptr;
  // Called when the archive is whole, before it gets its name, with a path where it can be read
  // meanwhile. False: it is not wanted after all, and nothing stands under its name.
  std::function<Result<bool>(const std::string&)> accept = nullptr;
  const std::atomic<bool>* cancel = nullptr;  // set to true to stop: the result is then an error
};

struct ArchiveWriteSummary {
  std::string digest;      // the archive's identity, 32 hexadecimal digits
  bool accepted = true;    // what ArchiveWriteOptions::accept said
  uint64_t file_size = 0;  // in bytes
  uint64_t present_pages = 0, duplicate_pages = 0, zero_pages = 0, damaged_pages = 0;
  std::map<LeftOutReason, uint64_t> left_out_pages;

  uint64_t left_out() const {
    uint64_t pages = 0;
    for (const auto& [reason, count] : left_out_pages) pages += count;
    return pages;
  }
};

// Writes to a temporary name beside `path`, fsyncs, renames. On any error, and when the process is
// killed, nothing new stands under `path`.
// Errors: kExists (and no overwrite, or not a regular file), kIo (with the operating system's
// reason), kUnreadable when a page can no longer be read while it is being written,
// kInvalidArgument for impossible options or memory regions and when cancelled.
Result<ArchiveWriteSummary> WriteArchive(const std::string& path, const ArchiveContents& contents,
                                         const ArchiveWriteOptions& options);

}  // namespace ktstr

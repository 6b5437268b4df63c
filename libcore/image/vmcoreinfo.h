// VMCOREINFO: the note in which a kernel describes itself to crash tools (kernel/vmcore_info.c,
// Documentation/admin-guide/kdump/vmcoreinfo.rst), found by a scan of guest memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr {

// What the text of each begins with.
inline constexpr std::string_view kVmcoreinfoBegin = "OSRELEASE=";

class Vmcoreinfo {
 public:
  // Values by key.
  using Lines = std::map<std::string, std::string, std::less<>>;

  // Parses the note's text, which lies at `pa`. Errors: kDamaged when it is not such a note.
  static Result<Vmcoreinfo> Parse(std::string_view text, Pa pa);
  // Reads and parses the note whose text begins at `pa`. Errors: kDamaged, kUnreadable,
  // kOutOfRange.
  static Result<Vmcoreinfo> ReadAt(const GuestMemory& memory, Pa pa);
  // All notes in memory, those with different texts once each, in ascending order of address. The
  // text begins a page, or follows an ELF note header at a page's begin. Looks at the first bytes
  // of every page that may be non-zero, in several threads: cheap on live memory, not on an archive
  // (pass what a capture recorded to ReadAt instead).
  static std::vector<Vmcoreinfo> FindAll(const GuestMemory& memory);
  // The same of these parts of it, ascending and disjoint, without the pages for which `skip`
  // (nullptr: none), called from several threads, is true.
  static std::vector<Vmcoreinfo> FindIn(const GuestMemory& memory,
                                        std::span<const MemoryRegion> parts,
                                        const std::function<bool(Pfn)>& skip);

  // Where the text begins.
  Pa pa() const { return pa_; }
  const std::string& release() const { return release_; }
  // Hexadecimal; empty when the kernel does not tell.
  std::string build_id() const;

  const Lines& lines() const { return lines_; }
  // A line "key=value" as text, nothing when there is none.
  std::optional<std::string_view> Get(std::string_view key) const;
  // "SYMBOL(name)=hex": the run-time address.
  std::optional<Kva> Symbol(std::string_view name) const;
  // "NUMBER(name)=decimal", which may be negative.
  std::optional<int64_t> Number(std::string_view name) const;
  // "KERNELOFFSET=hex": how far KASLR moved the kernel's text, in bytes.
  std::optional<uint64_t> kernel_offset() const;

 private:
  Pa pa_;
  std::string release_;
  Lines lines_;
};

}  // namespace ktstr

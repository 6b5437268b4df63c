// The memory of the machine that this program runs on, while it runs, by /proc/kcore: the kernel
// shows it there as an ELF core, whose segments of System RAM have physical addresses. What is read
// is of the moment at which it is read; the pages of one answer are of different moments.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "libcore/archive/region_map.h"
#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"
#include "libcore/memory/elf_core.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr {

// Where the running kernel shows itself.
struct HostFiles {
  std::string kcore = "/proc/kcore";
  std::string page_flags = "/proc/kpageflags";             // need not be there
  std::string vmcoreinfo = "/sys/kernel/vmcoreinfo";       // need not be there
  std::string lockdown = "/sys/kernel/security/lockdown";  // explains a refusal; need not be there
};

class HostMemory : public GuestMemory {
 public:
  // Errors: kIo (no such file, no right to read it, a kernel that is locked down, a container that
  // hides it; the message says which), kUnsupported and kDamaged (another machine than x86-64, no
  // such core).
  static Result<std::unique_ptr<HostMemory>> Open(const HostFiles& files = {});
  ~HostMemory() override;

  std::span<const MemoryRegion> regions() const override { return regions_.regions(); }

  // A copy of the page, at most kFresh old, so that what is read of one object at once is mostly of
  // one moment. kNotCaptured, for the reason kExcluded: a page that the kernel does not give away.
  //
  // For such pages read_kcore_iter (fs/proc/kcore.c) answers with zeros, not with an error: pages
  // that are offline (balloons, unplugged blocks), poisoned by the hardware, or without a mapping
  // in the kernel's direct map (memfd_secret, memory of confidential guests). So a page that reads
  // as zeros is looked up in /proc/kpageflags, and in the kernel's page tables once they are known
  // (CheckMapping); where neither can tell, it is taken for zeros.
  PageView View(Pfn pfn) const override;
  static constexpr std::chrono::microseconds kFresh{1000};

  // Errors: kReadOnly.
  Result<std::byte*> Writable(Pfn pfn) override;

  // From now on `is_mapped(pa)` says whether the kernel's direct map has the page at `pa`. It may
  // read this memory. Not to be called while another thread reads.
  void CheckMapping(std::function<bool(Pa)> is_mapped) { is_mapped_ = std::move(is_mapped); }

 private:
  struct Page;
  struct Slot;

  HostMemory(UniqueFd kcore, UniqueFd page_flags, uint64_t size, CoreParts parts);
  CoreBytes Bytes() const;
  // Whether zeros in that page are only what the kernel says in place of it.
  bool IsRefused(Pfn pfn) const;
  bool HasRefusingFlags(Pfn pfn) const;

  UniqueFd kcore_;
  mutable std::mutex kcore_mutex_;  // one reads at a time
  UniqueFd page_flags_;             // may be none
  uint64_t size_ = 0;               // of kcore, in bytes
  CoreParts parts_;
  RegionMap regions_;
  std::function<bool(Pa)> is_mapped_;
  std::unique_ptr<Slot[]> slots_;
};

}  // namespace ktstr

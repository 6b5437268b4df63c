// What the pages of a kernel's memory hold, by name: variables of the image and of each CPU,
// structures and stacks of tasks, and of all others what their struct page says.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/diff/slab_pages.h"
#include "analyze/index/database.h"
#include "libcore/base/result.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/memory/page_classes.h"

namespace ktstr {

// Something at a place in memory.
struct Content {
  std::string_view kind;  // "kernel data", "per-CPU data", "task_struct", "kernel stack", …
  std::string name;       // "jiffies", "runqueues of CPU 1", "spin-0 (44): se"; may be empty
};

class PageContents {
 public:
  // By the kernel and its index. What cannot be found out is left to kinds that say less.
  static PageContents Of(const GuestKernel& kernel, const Database& index);

  // What the byte at `pa` belongs to, by itself; nothing where only its page tells.
  std::optional<Content> At(Pa pa) const;
  // What the page is used for.
  Content OfPage(Pfn pfn) const;

 private:
  struct Range {
    uint64_t end;      // physical
    uint64_t address;  // of the begin: a symbol's (image, per-CPU), or an offset into the structure
    enum class Kind : uint8_t { kImage, kPerCpu, kTaskStruct, kStack, kStructPages } kind;
    std::string owner;  // the task or CPU
  };
  struct NamedOffset {
    uint64_t offset;
    std::string name;
  };

  explicit PageContents(const GuestKernel& kernel) : kernel_(&kernel) {}
  void AddImage();
  void AddPerCpu();
  void AddStructPages();
  void AddTasks(const Database& index);
  // Pages of [kva, kva + size), wherever they are.
  void Add(Kva kva, uint64_t size, const Range& range);
  // What lies within another range takes its place there: init_task is part of the image.
  void Insert(uint64_t begin, Range range);
  void ReadTaskMembers();
  std::string SymbolAt(uint64_t address) const;
  std::string TaskMemberAt(uint64_t offset) const;

  const GuestKernel* kernel_;
  std::map<uint64_t, Range> ranges_;       // by physical begin
  std::vector<NamedOffset> task_members_;  // of task_struct, ascending
  std::optional<PageClasses> classes_;
  std::optional<SlabPages> slabs_;
};

}  // namespace ktstr

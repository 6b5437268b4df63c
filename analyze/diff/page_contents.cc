#include "analyze/diff/page_contents.h"

#include <fmt/format.h>

#include <algorithm>

#include "analyze/index/cells.h"
#include "libcore/walk/stack/stack_bounds.h"

namespace ktstr {

namespace {

constexpr const char* kTasks =
    "SELECT task_kva, printf('%s (%s)', coalesce(comm, '?'), coalesce(pid, '?')) FROM task WHERE "
    "task_kva IS NOT "
    "NULL";

std::optional<uint64_t> AddressOf(const GuestKernel& kernel, std::string_view name) {
  const auto kva = kernel.symbol_kva(name);
  return kva ? std::optional(kva->value()) : std::nullopt;
}

std::string_view KindOf(LeftOutReason reason) {
  switch (reason) {
    case LeftOutReason::kFree:
      return "free memory";
    case LeftOutReason::kPageCache:
      return "page cache";
    case LeftOutReason::kUserData:
      return "user data";
    case LeftOutReason::kDevice:
      return "device memory";
    case LeftOutReason::kScrubbed:
      return "scrubbed memory";
    case LeftOutReason::kExcluded:
      return "memory that a dump lacked";
    case LeftOutReason::kNone:
      return "other memory of the kernel";
  }
  return "other memory of the kernel";
}

}  // namespace

PageContents PageContents::Of(const GuestKernel& kernel, const Database& index) {
  PageContents contents(kernel);
  contents.AddImage();
  contents.AddPerCpu();
  contents.ReadTaskMembers();
  contents.AddTasks(index);
  if (auto classes = PageClasses::Read(kernel)) contents.classes_ = *std::move(classes);
  if (auto slabs = SlabPages::Of(kernel)) contents.slabs_ = *std::move(slabs);
  contents.AddStructPages();
  return contents;
}

// The part for booting is given back to the page allocator, and is none of the image's any more.
void PageContents::AddImage() {
  const auto begin = AddressOf(*kernel_, "_text"), end = AddressOf(*kernel_, "_end");
  if (!begin || !end || *begin >= *end) return;
  const auto add = [&](uint64_t from, uint64_t to) {
    if (from >= to) return;
    const uint64_t pa = kernel_->text_kva_to_pa(Kva(from)).value();
    Insert(pa, {pa + (to - from), from, Range::Kind::kImage, ""});
  };
  const auto init = AddressOf(*kernel_, "__init_begin"),
             init_end = AddressOf(*kernel_, "__init_end");
  if (!init || !init_end || *init < *begin || *init_end > *end) return add(*begin, *end);
  add(*begin, *init);
  add(*init_end, *end);
}

void PageContents::AddPerCpu() {
  const auto begin = AddressOf(*kernel_, "__per_cpu_start"),
             end = AddressOf(*kernel_, "__per_cpu_end");
  const auto cpus = kernel_->CpuCount();
  if (!begin || !end || !cpus || *begin >= *end) return;
  for (uint32_t cpu = 0; cpu < *cpus; ++cpu) {
    const auto area = kernel_->PerCpu(Kva(*begin), cpu);
    if (!area) continue;
    Add(*area, *end - *begin, {0, *begin, Range::Kind::kPerCpu, fmt::format(" of CPU {}", cpu)});
  }
}

// One page of them after the other: the array has holes where there is no memory.
void PageContents::AddStructPages() {
  if (!slabs_) return;
  for (const MemoryRegion& region : kernel_->memory().regions()) {
    Kva begin = slabs_->map().PageOf(region.begin), end = slabs_->map().PageOf(region.end);
    Add(begin, end - begin, {0, 0, Range::Kind::kStructPages, ""});
  }
}

void PageContents::AddTasks(const Database& index) {
  const auto types = kernel_->types();
  const auto rows = index.Query(kTasks);
  if (!types || !rows) return;
  const auto size = (*types)->SizeOf("task_struct");
  const auto stack = (*types)->FindMember("task_struct", "stack");
  const auto stack_size = TaskStackSize(*kernel_);
  for (const auto& row : rows->rows) {
    const Kva task(std::strtoull(TextOf(row[0]).c_str(), nullptr, 16));
    const auto& name = TextOf(row[1]);
    if (size) Add(task, *size, {0, 0, Range::Kind::kTaskStruct, name});
    if (!stack || !stack_size) continue;
    const auto base = kernel_->Read<uint64_t>(task + stack->offset);
    if (base) Add(Kva(*base), *stack_size, {0, 0, Range::Kind::kStack, name});
  }
}

void PageContents::Add(Kva kva, uint64_t size, const Range& range) {
  for (uint64_t done = 0; done < size;) {
    const Kva at = kva + done;
    const uint64_t part = std::min(size - done, kPageSize - at.page_offset());
    if (const auto pa = kernel_->Translate(at)) {
      Insert(pa->value(), {pa->value() + part, range.address + done, range.kind, range.owner});
    }
    done += part;
  }
}

void PageContents::Insert(uint64_t begin, Range range) {
  const auto after = ranges_.upper_bound(begin);
  if (after != ranges_.begin()) {
    auto& [outer_begin, outer] = *std::prev(after);
    if (outer.end > range.end) {
      Range rest = outer;
      rest.address += range.end - outer_begin;
      ranges_[range.end] = std::move(rest);
    }
    outer.end = std::min(outer.end, begin);
  }
  ranges_[begin] = std::move(range);
}

// Members of task_struct, and those of the structures in it, which are too large to say enough.
void PageContents::ReadTaskMembers() {
  const auto types = kernel_->types();
  if (!types) return;
  const auto task = (*types)->FindStruct("task_struct");
  if (!task) return;
  for (const NamedMember& outer : (*types)->MembersOf(*task)) {
    const std::string name(outer.name);
    task_members_.push_back({outer.member.offset, name});
    if (outer.member.kind != TypeKind::kStruct) continue;
    for (const NamedMember& inner : (*types)->MembersOf((*types)->Strip(outer.member.type))) {
      task_members_.push_back({outer.member.offset + inner.member.offset,
                               name + (name.empty() ? "" : ".") + std::string(inner.name)});
    }
  }
  std::stable_sort(task_members_.begin(), task_members_.end(),
                   [](const auto& x, const auto& y) { return x.offset < y.offset; });
}

std::string PageContents::TaskMemberAt(uint64_t offset) const {
  const auto after =
      std::upper_bound(task_members_.begin(), task_members_.end(), offset,
                       [](uint64_t at, const NamedOffset& member) { return at < member.offset; });
  return after == task_members_.begin() ? "" : std::prev(after)->name;
}

std::string PageContents::SymbolAt(uint64_t address) const {
  const auto symbol = kernel_->symbols().FindAt(address);
  return symbol ? std::string(symbol->name) : "";
}

std::optional<Content> PageContents::At(Pa pa) const {
  const auto after = ranges_.upper_bound(pa.value());
  if (after == ranges_.begin()) return std::nullopt;
  const auto& [begin, range] = *std::prev(after);
  if (pa.value() >= range.end) return std::nullopt;
  const uint64_t address = range.address + (pa.value() - begin);
  switch (range.kind) {
    case Range::Kind::kImage:
      return Content{"kernel image", SymbolAt(address)};
    case Range::Kind::kPerCpu:
      return Content{"per-CPU data", SymbolAt(address) + range.owner};
    case Range::Kind::kTaskStruct:
      return Content{"task_struct", range.owner + ": " + TaskMemberAt(address)};
    case Range::Kind::kStack:
      return Content{"kernel stack", range.owner};
    case Range::Kind::kStructPages:
      return Content{"struct pages", ""};
  }
  return std::nullopt;
}

Content PageContents::OfPage(Pfn pfn) const {
  if (slabs_) {
    if (auto cache = slabs_->CacheOf(pfn)) return {"slab", *std::move(cache)};
  }
  if (!classes_) return {"memory of unknown use", ""};
  return {KindOf(classes_->Of(pfn)), ""};
}

}  // namespace ktstr

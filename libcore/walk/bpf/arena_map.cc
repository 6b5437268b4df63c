// Arenas: their pages are rows of their own, and what has a name in them, the global variables of
// the programs, are values.
#include "libcore/walk/bpf/arena_map.h"

#include <fmt/format.h>

namespace ktstr {

std::optional<int64_t> ArenaMaps::Read(const BpfMapShape& map, BpfValueSink& sink,
                                       std::vector<BpfArenaPageRow>& pages) {
  const auto arena = arenas_.At(map.id, map.kva, map.max_entries);
  if (!arena) return std::nullopt;
  if (const auto globals = globals_.Find(*arena)) {
    sink.AddSection(*globals->types, globals->section, arena->KernelAddress(globals->begin));
  }
  const Kva end = arena->kernel_begin + arena->bytes;
  int64_t count = 0;
  for (Kva from = arena->kernel_begin; from < end; from = from + kPageSize) {
    const auto mapped = walk_.kernel.address_space().FirstMapped(from, end);
    if (!mapped) {
      sink.Missing(mapped.error(), from, "the page tables of its pages");
      return std::nullopt;
    }
    if (!*mapped) break;
    from = **mapped;
    const uint64_t offset = from - arena->kernel_begin;
    if (!walk_.meter->Take()) {
      walk_.anomalies.Add("cap", from,
                          fmt::format("BPF map {}: stopped after {} pages", map.id, count));
      return std::nullopt;
    }
    pages.push_back({.map_id = map.id,
                     .page = static_cast<int64_t>(offset / kPageSize),
                     .user_address = Hex(arena->begin + offset),
                     .page_kva = Hex(from)});
    ++count;
  }
  return count;
}

const RowTable<BpfArenaPageRow>& BpfArenaPageRow::Table() {
  using R = BpfArenaPageRow;
  static const RowTable<R> table(
      "bpf_arena_page", "The pages that BPF arenas have.",
      {
          Col<&R::map_id>("map_id", "", "Map in table bpf_map."),
          Col<&R::page>("page", "", "Its number in the arena, from 0."),
          Col<&R::user_address>("user_address", "",
                                "Its address in user space, which pointers of programs hold."),
          Col<&R::page_kva>("page_kva", "", "Where the kernel has it."),
      });
  return table;
}

}  // namespace ktstr

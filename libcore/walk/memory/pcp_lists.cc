#include "libcore/walk/memory/pcp_lists.h"

#include <algorithm>
#include <optional>

#include "libcore/walk/container/list.h"

namespace ktstr {

// Each zone of a node has a struct per_cpu_pages for each CPU, with an array of lists: one for each
// order and migrate type, those of order 0 first. A list links the struct pages of the first frame
// of each block. Nodes are found by VMCOREINFO: one node as contig_page_data, several by the array
// node_data.

namespace {

// MAX_NUMNODES is 1024 at most (CONFIG_NODES_SHIFT).
constexpr uint64_t kMaxNodes = 1024;
// PAGE_ALLOC_COSTLY_ORDER: higher orders have lists only for huge pages, behind all others
// (order_to_pindex, mm/page_alloc.c, since 5.14, 44042b449872).
constexpr uint64_t kMaxOrder = 3;
constexpr uint64_t kListHeadSize = 16;

struct PcpLayout {
  uint64_t zones, zone_size, zone_count;  // in pglist_data
  uint64_t pageset;                       // in zone: a pointer to per-CPU data
  uint64_t lists, list_count;             // in per_cpu_pages
  uint64_t types;                         // MIGRATE_PCPTYPES: lists per order
};

Result<PcpLayout> FindLayout(const TypeInfo& types) {
  const Member zones = KTSTR_TRY(types.FindMember("pglist_data", "node_zones"));
  const Member lists = KTSTR_TRY(types.FindMember("per_cpu_pages", "lists"));
  const auto per_order = static_cast<uint64_t>(KTSTR_TRY(types.FindEnumerator("MIGRATE_PCPTYPES")));
  return PcpLayout{zones.offset,
                   KTSTR_TRY(types.SizeOf("zone")),
                   types.ElementCount(zones.type),
                   KTSTR_TRY(types.FindMember("zone", "per_cpu_pageset")).offset,
                   lists.offset,
                   std::min(types.ElementCount(lists.type), per_order * (kMaxOrder + 1)),
                   std::max<uint64_t>(per_order, 1)};
}

// The struct pglist_data of all nodes.
std::vector<Kva> FindNodes(const GuestKernel& kernel) {
  std::vector<Kva> nodes;
  const Vmcoreinfo& note = *kernel.vmcoreinfo();
  if (const auto single = note.Symbol("contig_page_data")) nodes.push_back(*single);
  const auto array = note.Symbol("node_data");
  if (!array) return nodes;
  const auto length = note.Get("LENGTH(node_data)").value_or("1");
  const uint64_t count =
      std::min<uint64_t>(std::strtoull(std::string(length).c_str(), nullptr, 10), kMaxNodes);
  for (uint64_t i = 0; i < count; ++i) {
    const auto node = kernel.Read<Kva>(*array + i * 8);
    if (node && !node->is_null()) nodes.push_back(*node);
  }
  return nodes;
}

class PcpWalker {
 public:
  PcpWalker(const Walk& walk, const PageLayout& page, const MemoryMap& map, const PcpLayout& layout)
      : walk_(walk), page_(page), map_(map), layout_(layout) {}

  void AddNode(Kva node, uint32_t cpus) {
    for (uint64_t i = 0; i < layout_.zone_count; ++i) {
      const Kva zone = node + layout_.zones + i * layout_.zone_size;
      const auto pageset = walk_.kernel.Read<Kva>(zone + layout_.pageset);
      if (!pageset || pageset->is_null()) continue;
      for (uint32_t cpu = 0; cpu < cpus; ++cpu) {
        if (const auto lists = walk_.kernel.PerCpu(*pageset, cpu)) AddLists(*lists + layout_.lists);
      }
    }
  }

  std::vector<FreeBlock> Take() && { return std::move(blocks_); }

 private:
  void AddLists(Kva lists) {
    for (uint64_t i = 0; i < layout_.list_count; ++i) {
      for (const Kva node : WalkList(walk_, lists + i * kListHeadSize, "pcp list")) {
        if (const auto pfn = map_.FrameOf(node - page_.pcp_list)) {
          blocks_.push_back({*pfn, i / layout_.types});
        }
      }
    }
  }

  Walk walk_;
  const PageLayout& page_;
  const MemoryMap& map_;
  const PcpLayout& layout_;
  std::vector<FreeBlock> blocks_;
};

}  // namespace

std::vector<FreeBlock> FindPcpBlocks(const GuestKernel& kernel, const PageLayout& layout,
                                     const MemoryMap& map) {
  // A list that is being changed looks damaged; its pages are only kept for that.
  Anomalies ignored("pcp");
  const auto walk = Walk::Of(kernel, ignored);
  const auto cpus = kernel.CpuCount();
  if (!walk || !cpus || !kernel.vmcoreinfo()) return {};
  const auto pcp = FindLayout(walk->types);
  if (!pcp) return {};
  PcpWalker walker(*walk, layout, map, *pcp);
  for (const Kva node : FindNodes(kernel)) walker.AddNode(node, *cpus);
  return std::move(walker).Take();
}

}  // namespace ktstr

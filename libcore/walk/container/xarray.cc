#include "libcore/walk/container/xarray.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "libcore/walk/row/fields.h"

namespace ktstr {

// An XArray (lib/xarray.c) is a tree of nodes with 64 slots, or fewer in small configurations. Its
// head is an entry as a slot is: an object, a node, or 0. An index is taken apart from the top, a
// few bits for each level; `shift` of a node says how many bits are left below it. A struct idr is
// such a tree and a number to add to each index.

namespace {

// include/linux/xarray.h: the two low bits of an entry say what it is; internal entries up to 4096
// are siblings, retry and zero marks, those above point to nodes.
constexpr uint64_t kInternalBits = 2;
constexpr uint64_t kSmallestNode = 4096;
// XA_CHUNK_SIZE; a guest's own types can say anything.
constexpr size_t kMaxSlots = 64;
// 64 bits of index in chunks of at least 4 bits.
constexpr int kMaxDepth = 16;

bool IsInternal(uint64_t entry) { return (entry & 3) == kInternalBits; }
bool IsNode(uint64_t entry) { return IsInternal(entry) && entry > kSmallestNode; }

struct ArrayMembers : Fields {
  explicit ArrayMembers(const Walk& walk) : Fields(walk, "xarray") {}
  MaybeMember head = Need("xa_head");
};

struct NodeMembers : Fields {
  explicit NodeMembers(const Walk& walk) : Fields(walk, "xa_node") {}
  MaybeMember shift = Need("shift"), slots = Need("slots"), parent = Maybe("parent"),
              offset = Maybe("offset");
};

struct IdrMembers : Fields {
  explicit IdrMembers(const Walk& walk) : Fields(walk, "idr") {}
  MaybeMember tree = Need("idr_rt"), base = Maybe("idr_base");
};

class XarrayWalker {
 public:
  XarrayWalker(const Walk& walk, std::string_view name) : walk_(walk), name_(name) {}

  std::vector<XarrayEntry> Run(Kva xarray) {
    if (!array_.head || !node_.shift || !node_.slots) return {};
    CellReader object(walk_, xarray, "an xarray");
    const auto head = object.Unsigned(array_.head);
    if (!head) return {};
    if (IsNode(*head)) {
      WalkNode(*head, 0, /*parent_shift=*/64, 0, std::nullopt);
    } else {
      Take(0, *head);
    }
    return std::move(entries_);
  }

 private:
  void Take(uint64_t index, uint64_t entry) {
    if (entry == 0 || IsInternal(entry) || capped_) return;
    if (entries_.size() >= walk_.limits.max_nodes || !walk_.meter->Take()) {
      capped_ = true;
      walk_.anomalies.Add("cap", Kva(entry),
                          fmt::format("{}: stopped after {} entries", name_, entries_.size()));
      return;
    }
    entries_.push_back({index, Kva(entry)});
  }

  struct Slot {
    Kva node;
    uint64_t number;
  };

  // `from` is the slot that leads to it, unless the array's head does.
  void WalkNode(uint64_t entry, uint64_t base, int parent_shift, int depth,
                const std::optional<Slot>& from) {
    const Kva kva(entry - kInternalBits);
    if (walk_.limits.IsStopped()) {
      capped_ = true;
      return walk_.anomalies.AddStopped(kva, name_);
    }
    ObjectReader node(walk_.kernel, kva);
    const auto shift = node.Integer(*node_.shift);
    const size_t slot_count = std::min(node_.slots->size / sizeof(uint64_t), kMaxSlots);
    std::vector<uint64_t> slots(slot_count);
    const auto read =
        node.Read(node_.slots->offset, std::as_writable_bytes(std::span<uint64_t>(slots)));
    if (!shift || !read) {
      walk_.anomalies.Add(shift ? read.error() : shift.error(), kva,
                          fmt::format("{}: a node", name_));
      return;
    }
    // Each level down is nearer to the leaves, which also ends a ring.
    if (*shift >= parent_shift || *shift < 0 || depth >= kMaxDepth) {
      walk_.anomalies.Add(
          "damage", kva,
          fmt::format("{}: a node of shift {} below one of shift {}", name_, *shift, parent_shift));
      return;
    }
    // The head's node has a parent for a moment while the array grows or shrinks; others never
    // have another.
    if (from && !StandsIn(*from, node)) {
      walk_.anomalies.Add("damage", kva,
                          fmt::format("{}: slot {} of {:#x} leads here, but this node is elsewhere",
                                      name_, from->number, from->node.value()));
      return;
    }
    for (size_t slot = 0; slot < slot_count && !capped_; ++slot) {
      const uint64_t index = base + (uint64_t{slot} << *shift);
      if (IsNode(slots[slot])) {
        WalkNode(slots[slot], index, static_cast<int>(*shift), depth + 1, Slot{kva, slot});
      } else {
        Take(index, slots[slot]);
      }
    }
  }

  bool StandsIn(const Slot& slot, ObjectReader& node) const {
    if (!node_.parent || !node_.offset) return true;
    const auto parent = node.Pointer(*node_.parent);
    const auto offset = node.Unsigned(*node_.offset);
    return parent && offset && *parent == slot.node && *offset == slot.number;
  }

  Walk walk_;
  ArrayMembers array_{walk_};
  NodeMembers node_{walk_};
  std::string_view name_;
  std::vector<XarrayEntry> entries_;
  bool capped_ = false;
};

}  // namespace

std::vector<XarrayEntry> WalkXarray(const Walk& walk, Kva xarray, std::string_view name) {
  return XarrayWalker(walk, name).Run(xarray);
}

std::vector<XarrayEntry> WalkIdr(const Walk& walk, Kva idr, std::string_view name) {
  const IdrMembers members(walk);
  if (!members.tree) return {};
  CellReader object(walk, idr, "an idr");
  const uint64_t first_id = object.Unsigned(members.base).value_or(0);
  auto entries = WalkXarray(walk, idr + members.tree->offset, name);
  for (XarrayEntry& entry : entries) entry.index += first_id;
  return entries;
}

}  // namespace ktstr

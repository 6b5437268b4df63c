#include "libcore/walk/container/rhashtable.h"

#include <fmt/format.h>

#include <bit>
#include <unordered_set>

#include "libcore/walk/container/chain.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

// An rhashtable (lib/rhashtable.c) points to a bucket_table, an array of buckets. A bucket is a
// pointer whose lowest bit is a lock; its chain ends in an odd pointer. While the table is resized,
// its objects move bucket by bucket to a second bucket_table, to which `future_tbl` of the first
// one points: both are walked. A table for which there was no memory in one piece is nested: `nest`
// is then not 0, and buckets are reached over pages of pointers.

namespace {

// A resize chains tables; more than a few at a time are damage.
constexpr int kMaxTables = 8;
// Buckets are pointers in memory that the kernel has to have in one piece, or page by page.
constexpr uint64_t kMaxBuckets = uint64_t{1} << 24;
// lib/rhashtable.c: the tables of a nested bucket array are pages of pointers.
constexpr uint64_t kPointersPerPage = kPageSize / sizeof(uint64_t);
// The top one has a page at most.
constexpr uint64_t kMaxNest = 9;

struct TableMembers : Fields {
  explicit TableMembers(const Walk& walk) : Fields(walk, "rhashtable") {}
  MaybeMember tbl = Need("tbl"), head_offset = Need("p.head_offset");
};

struct BucketMembers : Fields {
  explicit BucketMembers(const Walk& walk) : Fields(walk, "bucket_table") {}
  MaybeMember size = Need("size"), nest = Need("nest"), future_tbl = Need("future_tbl"),
              buckets = Need("buckets");
};

class RhashtableWalker {
 public:
  RhashtableWalker(const Walk& walk, std::string_view name) : walk_(walk), name_(name) {}

  std::vector<Kva> Run(Kva kva) {
    if (!table_.tbl || !table_.head_offset || !array_.size || !array_.nest || !array_.future_tbl ||
        !array_.buckets)
      return {};
    CellReader table(walk_, kva, "an rhashtable");
    const auto offset = table.Unsigned(table_.head_offset);
    auto current = table.Pointer(table_.tbl);
    if (!offset) return {};
    for (int tables = 0; current && !current->is_null() && !capped_; ++tables) {
      if (tables == kMaxTables) {
        walk_.anomalies.Add("cap", *current, fmt::format("{}: a chain of tables", name_));
        break;
      }
      if (!seen_tables_.insert(current->value()).second) {
        walk_.anomalies.Add("cycle", *current, fmt::format("{}: tables that lead back", name_));
        break;
      }
      CellReader buckets(walk_, *current, "a bucket_table");
      WalkTable(*current, buckets);
      current = buckets.Pointer(array_.future_tbl);
    }
    for (Kva& object : objects_) object = object - *offset;
    return std::move(objects_);
  }

 private:
  void WalkTable(Kva table, CellReader& buckets) {
    const auto size = buckets.Unsigned(array_.size);
    const auto nest = buckets.Unsigned(array_.nest);
    if (!size || !nest) return;
    if (!std::has_single_bit(*size) || *size > kMaxBuckets) {
      walk_.anomalies.Add("damage", table, fmt::format("{}: a table of {} buckets", name_, *size));
      return;
    }
    const Kva array = table + array_.buckets->offset;
    if (*nest == 0) return WalkBuckets(array, *size);
    if (*nest > kMaxNest) {
      walk_.anomalies.Add("damage", table, fmt::format("{}: a nest of 2^{}", name_, *nest));
      return;
    }
    if (const auto top = walk_.kernel.Read<uint64_t>(array)) {
      WalkNested(Kva(*top), uint64_t{1} << *nest, *size);
    } else {
      walk_.anomalies.Add(top.error(), array, fmt::format("{}: the nested table", name_));
    }
  }

  // nested_table_alloc() in lib/rhashtable.c: `first` pointers at the top, pages of pointers below,
  // buckets in the last ones.
  void WalkNested(Kva top, uint64_t first, uint64_t size) {
    const uint64_t leaves = size / first;
    ForEachPointer(top, std::min(first, kPointersPerPage),
                   [&](Kva below) { WalkNestedLevel(below, leaves); });
  }
  void WalkNestedLevel(Kva level, uint64_t buckets) {
    if (buckets <= kPointersPerPage) return WalkBuckets(level, buckets);
    ForEachPointer(level, kPointersPerPage,
                   [&](Kva below) { WalkNestedLevel(below, buckets / kPointersPerPage); });
  }

  template <typename Visit>
  void ForEachPointer(Kva array, uint64_t count, Visit&& visit) {
    std::vector<uint64_t> pointers(count);
    const auto read =
        walk_.kernel.Read(array, std::as_writable_bytes(std::span<uint64_t>(pointers)));
    if (!read) {
      walk_.anomalies.Add(read.error(), array, fmt::format("{}: buckets", name_));
      return;
    }
    for (const uint64_t pointer : pointers) {
      // Bit 0 locks a bucket.
      if ((pointer & ~uint64_t{1}) != 0 && !capped_) visit(Kva(pointer & ~uint64_t{1}));
    }
  }

  void WalkBuckets(Kva array, uint64_t count) {
    // Page by page: a bucket array in a page that is missing costs only what hangs there.
    for (uint64_t done = 0; done < count && !capped_;) {
      const Kva at = array + done * sizeof(uint64_t);
      const uint64_t in_page = (kPageSize - at.page_offset()) / sizeof(uint64_t);
      const uint64_t now = std::min(count - done, std::max<uint64_t>(in_page, 1));
      ForEachPointer(at, now, [&](Kva first) { WalkBucket(first); });
      done += now;
    }
  }

  void WalkBucket(Kva first) {
    for (const Kva node : WalkChain(walk_, first, name_)) {
      if (!seen_.insert(node.value()).second) continue;
      if (objects_.size() >= walk_.limits.max_nodes) {
        capped_ = true;
        walk_.anomalies.Add(
            "cap", node, fmt::format("{}: stopped after {} nodes", name_, walk_.limits.max_nodes));
        return;
      }
      objects_.push_back(node);
    }
  }

  Walk walk_;
  TableMembers table_{walk_};
  BucketMembers array_{walk_};
  std::string_view name_;
  std::vector<Kva> objects_;
  std::unordered_set<uint64_t> seen_, seen_tables_;
  bool capped_ = false;
};

}  // namespace

std::vector<Kva> WalkRhashtable(const Walk& walk, Kva table, std::string_view name) {
  return RhashtableWalker(walk, name).Run(table);
}

}  // namespace ktstr

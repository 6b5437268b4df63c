// Tries of prefixes (lpm_trie, kernel/bpf/lpm_trie.c): a binary tree whose nodes have the prefix's
// bytes and behind them the value. Nodes that only lead on are marked, and are no entries. A key is
// the prefix's length in bits (u32) and its bytes, as in struct bpf_lpm_trie_key.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "libcore/walk/bpf/map_members.h"
#include "libcore/walk/bpf/map_readers.h"
#include "libcore/walk/value/value_json.h"

namespace ktstr {

namespace {

// LPM_TREE_NODE_FLAG_IM.
constexpr uint64_t kLeadsOn = 1;
constexpr uint64_t kLengthBytes = sizeof(uint32_t);

struct NodeMembers : Fields {
  explicit NodeMembers(const Walk& walk) : Fields(walk, "lpm_trie_node") {}
  MaybeMember child = Maybe("child"), length = Maybe("prefixlen"), flags = Maybe("flags"),
              data = Maybe("data");
};

class TrieReader : public BpfMapReader {
 public:
  explicit TrieReader(const Walk& walk) : walk_(walk) {}

  std::optional<int64_t> Read(const BpfMapShape& map, BpfValueSink& sink) override {
    if (!node_.child || !node_.data || map.key_size < kLengthBytes) return std::nullopt;
    const auto root =
        CellReader(walk_, ContainerOf(map.kva, trie_.map), "a BPF trie").Pointer(trie_.root);
    if (!root) return std::nullopt;
    int64_t entries = 0;
    std::vector<Kva> open = {*root};
    std::unordered_set<uint64_t> seen;
    while (!open.empty() && !sink.done()) {
      const Kva at = open.back();
      open.pop_back();
      if (at.is_null()) continue;
      if (!seen.insert(at.value()).second) {
        sink.Damage(at, "a node of its tree is reached twice");
        continue;
      }
      if (!walk_.meter->Take()) {
        walk_.anomalies.Add("cap", at,
                            fmt::format("BPF map {}: stopped after {} nodes", map.id, seen.size()));
        return std::nullopt;
      }
      CellReader node(walk_, at, "a node of a BPF trie");
      const auto flags = node.Unsigned(node_.flags), length = node.Unsigned(node_.length);
      if (!flags || !length) continue;
      if ((*flags & kLeadsOn) == 0) {
        ++entries;
        Add(map, at + node_.data->offset, static_cast<uint32_t>(*length), sink);
      }
      for (const uint64_t side : {1, 0}) {
        const Kva link = at + node_.child->offset + side * sizeof(uint64_t);
        const auto child = walk_.kernel.Read<uint64_t>(link);
        if (child) {
          open.emplace_back(*child);
        } else {
          sink.Missing(child.error(), link, "a node of its tree");
        }
      }
    }
    return entries;
  }

 private:
  void Add(const BpfMapShape& map, Kva data, uint32_t length, BpfValueSink& sink) {
    const uint64_t size = map.key_size - kLengthBytes;
    std::vector<std::byte> key(std::min<uint64_t>(map.key_size, kPageSize));
    std::memcpy(key.data(), &length, kLengthBytes);
    if (const auto read = walk_.kernel.Read(data, std::span(key).subspan(kLengthBytes)); !read) {
      return sink.Missing(read.error(), data, "a key");
    }
    const bool typed = map.types != nullptr && map.key_type != TypeId{0};
    sink.Add(typed ? ToJson(*map.types, map.key_type, key) : BytesToJson(key), data + size);
  }

  Walk walk_;
  BpfTrieMembers trie_{walk_};
  NodeMembers node_{walk_};
};

}  // namespace

std::unique_ptr<BpfMapReader> MakeTrieReader(const Walk& walk) {
  return std::make_unique<TrieReader>(walk);
}

}  // namespace ktstr

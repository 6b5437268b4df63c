// Bloom filters (bpf_bloom_filter, kernel/bpf/bloom_filter.c) keep no values, only bits that tell
// which ones they may have seen: one row says how many of them are set.
#include <fmt/format.h>

#include <bit>

#include "libcore/walk/bpf/map_members.h"
#include "libcore/walk/bpf/map_readers.h"

namespace ktstr {

namespace {

class BloomReader : public BpfMapReader {
 public:
  explicit BloomReader(const Walk& walk) : walk_(walk) {}

  std::optional<int64_t> Read(const BpfMapShape& map, BpfValueSink& sink) override {
    if (!bloom_.bits) return std::nullopt;
    const Kva container = ContainerOf(map.kva, bloom_.map);
    CellReader filter(walk_, container, "a BPF bloom filter");
    const auto mask = filter.Unsigned(bloom_.mask), functions = filter.Unsigned(bloom_.functions);
    if (!mask || !functions) return std::nullopt;
    const Kva bits = container + bloom_.bits->offset;
    const uint64_t count = *mask + 1;
    std::vector<std::byte> page(kPageSize);
    uint64_t set = 0;
    for (uint64_t at = 0, end = (count + 7) / 8; at < end;) {
      const auto part =
          std::span(page).first(std::min(end - at, kPageSize - (bits + at).page_offset()));
      if (const auto read = walk_.kernel.Read(bits + at, part); !read) {
        sink.Missing(read.error(), bits + at, "its bits");
        return std::nullopt;
      }
      for (const std::byte byte : part) set += std::popcount(static_cast<uint8_t>(byte));
      at += part.size();
    }
    sink.AddJson(
        "null", bits,
        fmt::format(R"({{"bits":{},"set":{},"hash_functions":{}}})", count, set, *functions));
    return std::nullopt;
  }

 private:
  Walk walk_;
  BpfBloomMembers bloom_{walk_};
};

}  // namespace

std::unique_ptr<BpfMapReader> MakeBloomReader(const Walk& walk) {
  return std::make_unique<BloomReader>(walk);
}

}  // namespace ktstr

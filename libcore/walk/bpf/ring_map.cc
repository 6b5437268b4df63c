// Ring buffers (bpf_ringbuf, kernel/bpf/ringbuf.c), those that user space reads as well as those
// that it writes (user_ringbuf). Records are what lies between the consumer's position and the
// producer's, both of which only grow; where they lie is the position modulo the size, and the data
// is mapped twice in a row, so that each record is in one piece. A record is a header (u32 length
// with two flags, u32 page offset) and its bytes, up to the next multiple of 8.
#include <fmt/format.h>

#include "libcore/walk/bpf/map_members.h"
#include "libcore/walk/bpf/map_readers.h"
#include "libcore/walk/value/value_json.h"

namespace ktstr {

namespace {

// include/uapi/linux/bpf.h.
constexpr uint32_t kBusy = 1u << 31, kDiscarded = 1u << 30;
constexpr uint64_t kHeaderSize = 8;

class RingReader : public BpfMapReader {
 public:
  explicit RingReader(const Walk& walk) : walk_(walk) {}

  std::optional<int64_t> Read(const BpfMapShape& map, BpfValueSink& sink) override {
    const auto ring =
        CellReader(walk_, ContainerOf(map.kva, map_.map), "a BPF ring buffer").Pointer(map_.ring);
    if (!ring || !ring_.data) return std::nullopt;
    CellReader reader(walk_, *ring, "a BPF ring buffer");
    const auto mask = reader.Unsigned(ring_.mask), consumer = reader.Unsigned(ring_.consumer),
               producer = reader.Unsigned(ring_.producer);
    if (!mask || !consumer || !producer) return std::nullopt;
    // Records that newer ones have overwritten are not there any more.
    uint64_t at = std::max(*consumer, reader.Unsigned(ring_.overwritten).value_or(0));
    if (at > *producer || *producer - at > *mask + 1) {
      sink.Damage(*ring, fmt::format("its consumer is at {}, its producer at {}", at, *producer));
      return std::nullopt;
    }
    int64_t records = 0;
    while (at < *producer && !sink.done()) {
      const Kva record = *ring + ring_.data->offset + (at & *mask);
      const auto header = walk_.kernel.Read<uint32_t>(record);
      if (!header) {
        sink.Missing(header.error(), record, "the header of a record");
        return std::nullopt;  // it alone tells where the next one is
      }
      const uint64_t length = *header & ~(kBusy | kDiscarded);
      const uint64_t whole = RoundUp8(length + kHeaderSize);
      if (whole > *producer - at) {
        sink.Damage(record, fmt::format("a record of {} bytes reaches behind its end", length));
        return std::nullopt;
      }
      if (!Add(record, *header, length, records, sink)) return std::nullopt;
      ++records;
      at += whole;
    }
    return records;
  }

 private:
  // What a record is, is known to the program that reads it.
  bool Add(Kva record, uint32_t header, uint64_t length, int64_t number, BpfValueSink& sink) {
    const char* state = (header & kBusy) != 0        ? "being written"
                        : (header & kDiscarded) != 0 ? "discarded"
                                                     : "unread";
    if (length > BpfValueSink::kMaxValueBytes) {
      sink.Damage(record, fmt::format("a record of {} bytes", length));
      return true;
    }
    std::vector<std::byte> bytes(length);
    if (const auto read = walk_.kernel.Read(record + kHeaderSize, bytes); !read) {
      sink.Missing(read.error(), record, "a record");
      return true;
    }
    return sink.AddJson(std::to_string(number), record + kHeaderSize,
                        fmt::format(R"({{"state":"{}","size":{},"bytes":{}}})", state, length,
                                    BytesToJson(bytes))) != nullptr;
  }

  Walk walk_;
  BpfRingMapMembers map_{walk_};
  BpfRingMembers ring_{walk_};
};

}  // namespace

std::unique_ptr<BpfMapReader> MakeRingReader(const Walk& walk) {
  return std::make_unique<RingReader>(walk);
}

}  // namespace ktstr

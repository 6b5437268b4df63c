// Queues and stacks (bpf_queue_stack, kernel/bpf/queue_stack_maps.c): a ring of `size` elements of
// value_size bytes, one more than the map may hold. What is in it lies from `tail` to before
// `head`. A queue gives the one at `tail` next, a stack the one before `head`.
#include "libcore/walk/bpf/map_members.h"
#include "libcore/walk/bpf/map_readers.h"

namespace ktstr {

namespace {

class QueueReader : public BpfMapReader {
 public:
  explicit QueueReader(const Walk& walk) : walk_(walk) {}

  std::optional<int64_t> Read(const BpfMapShape& map, BpfValueSink& sink) override {
    if (!queue_.elements) return std::nullopt;
    const Kva container = ContainerOf(map.kva, queue_.map);
    CellReader queue(walk_, container, "a BPF queue");
    const auto head = queue.Unsigned(queue_.head), tail = queue.Unsigned(queue_.tail),
               size = queue.Unsigned(queue_.size);
    if (!head || !tail || !size) return std::nullopt;
    if (*head >= *size || *tail >= *size) {
      sink.Damage(container, "its head or tail lies behind its end");
      return std::nullopt;
    }
    const uint64_t count = (*head + *size - *tail) % *size;
    const Kva elements = container + queue_.elements->offset;
    for (uint64_t i = 0; i < count && !sink.done(); ++i) {
      const uint64_t place =
          map.type == BpfMapType::kQueue ? (*tail + i) % *size : (*head + *size - 1 - i) % *size;
      sink.Add(std::to_string(i), elements + place * map.value_size);
    }
    return static_cast<int64_t>(count);
  }

 private:
  Walk walk_;
  BpfQueueMembers queue_{walk_};
};

}  // namespace

std::unique_ptr<BpfMapReader> MakeQueueReader(const Walk& walk) {
  return std::make_unique<QueueReader>(walk);
}

}  // namespace ktstr

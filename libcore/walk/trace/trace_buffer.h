// Ring buffers of the kernel's tracing (kernel/trace/ring_buffer.c), CPU by CPU.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/walk/row/fields.h"
#include "libcore/walk/trace/ring_page.h"

namespace ktstr {

// The ring of one CPU, as far as it could be read.
struct CpuRing {
  uint32_t cpu = 0;
  Kva kva;  // struct ring_buffer_per_cpu
  // Sub-buffers that hold events, oldest first: their bytes, and where these are.
  struct SubBuffer {
    Kva kva;
    std::vector<std::byte> bytes;
    RingPage page;  // of those bytes
  };
  std::vector<SubBuffer> pages;
};

class TraceBufferReader {
 public:
  explicit TraceBufferReader(const Walk& walk);

  // The rings of a struct trace_buffer: a (cpu, struct ring_buffer_per_cpu) for each CPU that has
  // one. What cannot be read is an anomaly.
  std::vector<std::pair<uint32_t, Kva>> RingsOf(Kva buffer);
  // The bytes of a sub-buffer of that buffer: a page, or 2^order of them (since 6.8).
  std::optional<uint64_t> SubBufferSize(Kva buffer);

  // The sub-buffers of a ring from what a reader would take first to what is being written; events
  // that are not committed are none. Of rings with more than `most_bytes` the newest, and an
  // anomaly "cap". A sub-buffer that cannot be read, or whose events cannot be followed, is an
  // anomaly, and the others are read.
  CpuRing Read(uint32_t cpu, Kva ring, uint64_t subbuffer_size, uint64_t most_bytes);

  // Whether everything is known without which nothing can be read.
  bool can_read() const {
    return rings_.buffers && ring_.pages && page_.next && page_.page && data_.commit &&
           data_.data && data_.time;
  }

 private:
  struct BufferMembers : Fields {
    explicit BufferMembers(const Walk& walk) : Fields(walk, Structure{"trace_buffer", "", true}) {}
    MaybeMember buffers = Need("buffers"), order = Maybe("subbuf_order");
  };
  struct RingMembers : Fields {
    explicit RingMembers(const Walk& walk)
        : Fields(walk, Structure{"ring_buffer_per_cpu", "", true}) {}
    MaybeMember pages = Need("pages"), nr_pages = Need("nr_pages"), head = Need("head_page"),
                commit = Need("commit_page"), reader = Need("reader_page");
  };
  struct PageMembers : Fields {
    explicit PageMembers(const Walk& walk) : Fields(walk, Structure{"buffer_page", "", true}) {}
    MaybeMember next = Need("list.next"), read = Need("read"), page = Need("page");
  };
  struct DataMembers : Fields {
    explicit DataMembers(const Walk& walk)
        : Fields(walk, Structure{"buffer_data_page", "", true}) {}
    MaybeMember time = Need("time_stamp"), commit = Need("commit"), data = Need("data");
  };

  // The struct buffer_pages of the ring, from its head on; empty where the list leads nowhere.
  std::vector<Kva> PagesFromHead(Kva ring, Kva first, uint64_t count);
  std::optional<CpuRing::SubBuffer> ReadSubBuffer(uint32_t cpu, Kva page, uint64_t size);

  Walk walk_;
  BufferMembers rings_;
  RingMembers ring_;
  PageMembers page_;
  DataMembers data_;
  uint64_t missing_ = 0;
};

}  // namespace ktstr

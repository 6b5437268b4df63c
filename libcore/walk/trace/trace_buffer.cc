#include "libcore/walk/trace/trace_buffer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace ktstr {

// A ring is a circle of struct buffer_page, each with a sub-buffer of its own. A writer fills the
// one at the tail; the oldest one is the head, to which the pointer of the one before it says so,
// in its lowest bits (RB_PAGE_HEAD; RB_PAGE_UPDATE while a writer takes the head away). One more
// sub-buffer, the reader's, stands beside the circle: readers swap it for the head. So the events
// in order are those of the reader's page, then from the head on up to the page that holds the
// last commit, which may be the reader's own.

namespace {

constexpr uint64_t kPointerFlags = 3, kIsHead = 1, kIsUpdate = 2;
constexpr uint64_t kMostOrder = 10;  // buffer_subbuf_size_kb ends at 4 MiB or before
// 32 GiB of sub-buffers of one page: no ring has more.
constexpr uint64_t kMostPages = uint64_t{8} << 20;
// Sub-buffers that cannot be read: a ring with more of them is not there.
constexpr uint64_t kMostMissing = 1000;

}  // namespace

TraceBufferReader::TraceBufferReader(const Walk& walk)
    : walk_(walk), rings_(walk), ring_(walk), page_(walk), data_(walk) {}

std::vector<std::pair<uint32_t, Kva>> TraceBufferReader::RingsOf(Kva buffer) {
  std::vector<std::pair<uint32_t, Kva>> rings;
  CellReader object(walk_, buffer, "a trace buffer");
  const auto array = object.Pointer(rings_.buffers);
  const auto cpus = walk_.kernel.CpuCount();
  if (!cpus) walk_.anomalies.Add(cpus.error(), buffer, "counting the CPUs of a trace buffer");
  if (!array || !cpus || *array == Kva(0)) return rings;
  for (uint32_t cpu = 0; cpu < *cpus; ++cpu) {
    const auto ring = walk_.kernel.Read<Kva>(*array + uint64_t{cpu} * sizeof(uint64_t));
    if (!ring) {
      walk_.anomalies.Add(ring.error(), *array, "reading which rings a trace buffer has");
      return rings;
    }
    if (*ring != Kva(0)) rings.emplace_back(cpu, *ring);
  }
  return rings;
}

std::optional<uint64_t> TraceBufferReader::SubBufferSize(Kva buffer) {
  if (!rings_.order) return kPageSize;
  CellReader object(walk_, buffer, "a trace buffer");
  const auto order = object.Unsigned(rings_.order);
  if (!order) return std::nullopt;
  if (*order > kMostOrder) {
    walk_.anomalies.Add("damage", buffer,
                        fmt::format("a trace buffer has sub-buffers of 2^{} pages", *order));
    return std::nullopt;
  }
  return kPageSize << *order;
}

std::vector<Kva> TraceBufferReader::PagesFromHead(Kva ring, Kva first, uint64_t count) {
  std::vector<Kva> pages;
  std::unordered_set<uint64_t> seen;
  std::optional<size_t> head, update;
  for (Kva at = first;;) {
    if (at == first && !pages.empty()) break;
    if (!seen.insert(at.value()).second) {
      walk_.anomalies.Add("cycle", at, "the pages of a trace ring do not lead back to the first");
      return {};
    }
    if (pages.size() >= count || !walk_.meter->Take()) {
      walk_.anomalies.Add(pages.size() >= count ? "count" : "cap", ring,
                          fmt::format("a trace ring has more pages than its {}", pages.size()));
      return {};
    }
    pages.push_back(at);
    CellReader page(walk_, at, "a page of a trace ring");
    const auto next = page.Unsigned(page_.next);
    if (!next) return {};
    // The flags are about the page that the pointer leads to.
    if ((*next & kPointerFlags) == kIsHead) head = pages.size();
    if ((*next & kPointerFlags) == kIsUpdate) update = pages.size();
    at = Kva(*next & ~kPointerFlags);
  }
  if (pages.size() != count) {
    walk_.anomalies.Add(
        "count", ring, fmt::format("a trace ring has {} pages and counts {}", pages.size(), count));
  }
  // A head that a writer is taking away is lost already; the page after it is to be the next.
  if (!head && update) head = *update + 1;
  if (!head) {
    walk_.anomalies.Add("damage", ring, "no page of a trace ring is marked as its head");
    return {};
  }
  std::rotate(pages.begin(), pages.begin() + static_cast<ptrdiff_t>(*head % pages.size()),
              pages.end());
  return pages;
}

std::optional<CpuRing::SubBuffer> TraceBufferReader::ReadSubBuffer(uint32_t cpu, Kva page,
                                                                   uint64_t size) {
  CellReader object(walk_, page, "a page of a trace ring");
  const auto at = object.Pointer(page_.page);
  if (!at) return std::nullopt;
  CpuRing::SubBuffer sub{.kva = *at, .bytes = {}, .page = {}};
  CellReader header(walk_, *at, "a sub-buffer of a trace ring");
  const auto time = header.Unsigned(data_.time), commit = header.Unsigned(data_.commit);
  if (!time || !commit) return std::nullopt;
  sub.bytes.resize(size);
  if (const auto read = walk_.kernel.Read(*at, sub.bytes); !read) {
    walk_.anomalies.Add(read.error(), *at,
                        fmt::format("reading a sub-buffer of the trace ring of CPU {}", cpu));
    return std::nullopt;
  }
  sub.page = ReadRingPage(sub.bytes, data_.data->offset, *time, *commit);
  if (!walk_.meter->Take(sub.page.events.size())) {
    walk_.anomalies.Add("cap", *at, "too many trace events");
    return std::nullopt;
  }
  if (!sub.page.damage.empty()) {
    walk_.anomalies.Add("damage", *at,
                        fmt::format("the trace ring of CPU {}: {}", cpu, sub.page.damage));
  }
  return sub;
}

CpuRing TraceBufferReader::Read(uint32_t cpu, Kva ring, uint64_t size, uint64_t most_bytes) {
  CpuRing read{.cpu = cpu, .kva = ring, .pages = {}};
  CellReader object(walk_, ring, "a trace ring");
  const auto first = object.Pointer(ring_.pages), commit = object.Pointer(ring_.commit),
             reader = object.Pointer(ring_.reader);
  const auto count = object.Unsigned(ring_.nr_pages);
  if (!first || !count || !commit || !reader) return read;
  if (*count == 0 || *count > kMostPages) {
    walk_.anomalies.Add("damage", ring, fmt::format("a trace ring of {} pages", *count));
    return read;
  }
  std::vector<Kva> pages;
  bool has_commit = *reader == *commit;
  if (*reader != Kva(0)) pages.push_back(*reader);
  if (!has_commit) {
    // `list` is the first member of a buffer_page, so that a pointer to one is a pointer to both.
    const std::vector<Kva> circle =
        PagesFromHead(ring, Kva(first->value() & ~kPointerFlags), *count);
    const auto last = std::ranges::find(circle, *commit);
    has_commit = last != circle.end();
    pages.insert(pages.end(), circle.begin(), has_commit ? last + 1 : last);
    if (!has_commit && !circle.empty()) {
      walk_.anomalies.Add("damage", *commit,
                          "the page that a trace ring commits to is none of its own");
    }
  }
  const uint64_t most = std::max<uint64_t>(1, most_bytes / size);
  if (pages.size() > most) {
    walk_.anomalies.Add("cap", ring,
                        fmt::format("the trace ring of CPU {}: {} of {} pages are read, the newest",
                                    cpu, most, pages.size()));
    pages.erase(pages.begin(), pages.end() - static_cast<ptrdiff_t>(most));
  }
  for (const Kva page : pages) {
    if (missing_ > kMostMissing) {
      walk_.anomalies.Add("cap", ring, "too many pages of trace rings cannot be read");
      break;
    }
    auto sub = ReadSubBuffer(cpu, page, size);
    if (!sub) {
      ++missing_;
      continue;
    }
    if (page == *reader) {
      // What was read already is no longer in it.
      CellReader of_reader(walk_, page, "the reader's page of a trace ring");
      if (const auto taken = of_reader.Unsigned(page_.read)) {
        const auto* begin = sub->bytes.data() + data_.data->offset + *taken;
        std::erase_if(sub->page.events,
                      [&](const RingEvent& event) { return event.record.data() < begin; });
      }
    }
    if (!sub->page.events.empty() || sub->page.missed) read.pages.push_back(*std::move(sub));
  }
  return read;
}

}  // namespace ktstr

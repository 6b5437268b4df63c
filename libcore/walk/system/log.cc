#include "libcore/walk/system/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "libcore/walk/row/row_reader.h"

namespace ktstr {

// The ring buffer of printk (kernel/printk/printk_ringbuffer.c, since 5.10) is two rings. The one
// of descriptors has a record each: its state and id, where its text lies, and beside it in a
// second array of the same length (struct printk_info) its time, level and caller. The other ring
// holds the texts, as blocks that begin with the id of their descriptor. Descriptors from tail_id
// to head_id are in use. A text whose block has another id was overwritten.

namespace {

// kernel/printk/printk_ringbuffer.h. The two top bits of a descriptor's state variable are its
// state, the others its id.
constexpr int kStateShift = 62;
constexpr uint64_t kIdMask = (uint64_t{1} << kStateShift) - 1;
enum DescriptorState { kReserved = 0, kCommitted = 1, kFinalized = 2, kReusable = 3 };
// LPOS_DATALESS: a logical position with this bit has no data block.
constexpr uint64_t kDataless = 1;
constexpr uint64_t kEmptyLine = 3;
// Each data block begins with the id of its descriptor.
constexpr uint64_t kBlockHeader = sizeof(uint64_t);
// CONFIG_LOG_BUF_SHIFT ends at 25; log_buf_len= at 31.
constexpr uint64_t kMaxSizeBits = 31;
// So many records are read, and so much text of theirs: records of a guest's making can be without
// end, and share their text.
constexpr uint64_t kMaxRecords = uint64_t{4} << 20, kMostText = uint64_t{256} << 20;
// Descriptors that cannot be read: a ring of more of them is not there.
constexpr uint64_t kMaxMissing = 10'000;
// caller_id: the top bit marks a CPU, otherwise it is a thread id (kernel/printk/printk.c).
constexpr uint64_t kCallerIsCpu = 0x80000000;

struct RingMembers {
  Member count_bits, descs, infos, head_id, tail_id, size_bits, data;
  uint64_t desc_size, info_size;
  Member state_var, begin, next;
  Member text_len, caller_id;

  static Result<RingMembers> Resolve(const Walk& walk) {
    const TypeInfo& types = walk.types;
    RingMembers m;
    const auto ring = [&](std::string_view path) {
      return types.FindMember("printk_ringbuffer", path);
    };
    m.count_bits = KTSTR_TRY(ring("desc_ring.count_bits"));
    m.descs = KTSTR_TRY(ring("desc_ring.descs"));
    m.infos = KTSTR_TRY(ring("desc_ring.infos"));
    m.head_id = KTSTR_TRY(ring("desc_ring.head_id.counter"));
    m.tail_id = KTSTR_TRY(ring("desc_ring.tail_id.counter"));
    m.size_bits = KTSTR_TRY(ring("text_data_ring.size_bits"));
    m.data = KTSTR_TRY(ring("text_data_ring.data"));
    m.desc_size = KTSTR_TRY(types.SizeOf("prb_desc"));
    m.info_size = KTSTR_TRY(types.SizeOf("printk_info"));
    m.state_var = KTSTR_TRY(types.FindMember("prb_desc", "state_var.counter"));
    m.begin = KTSTR_TRY(types.FindMember("prb_desc", "text_blk_lpos.begin"));
    m.next = KTSTR_TRY(types.FindMember("prb_desc", "text_blk_lpos.next"));
    m.text_len = KTSTR_TRY(types.FindMember("printk_info", "text_len"));
    m.caller_id = KTSTR_TRY(types.FindMember("printk_info", "caller_id"));
    return m;
  }
};

// The ring's own numbers.
struct Ring {
  uint64_t count_mask, head_id, tail_id, data_size;
  Kva descs, infos, data;

  static Result<Ring> Read(const GuestKernel& kernel, const RingMembers& m) {
    // `prb` points to the ring in use: the static one, or the one that log_buf_len= allocated.
    ObjectReader object(kernel, KTSTR_TRY(kernel.ReadSymbol<Kva>("prb")));
    const uint64_t count_bits = KTSTR_TRY(object.Unsigned(m.count_bits));
    const uint64_t size_bits = KTSTR_TRY(object.Unsigned(m.size_bits));
    if (count_bits > kMaxSizeBits || size_bits > kMaxSizeBits) {
      return Fail(
          ErrorCode::kDamaged,
          fmt::format("the log ring has 2^{} descriptors and 2^{} bytes", count_bits, size_bits));
    }
    Ring ring;
    ring.count_mask = (uint64_t{1} << count_bits) - 1;
    ring.data_size = uint64_t{1} << size_bits;
    ring.head_id = KTSTR_TRY(object.Unsigned(m.head_id)) & kIdMask;
    ring.tail_id = KTSTR_TRY(object.Unsigned(m.tail_id)) & kIdMask;
    ring.descs = KTSTR_TRY(object.Pointer(m.descs));
    ring.infos = KTSTR_TRY(object.Pointer(m.infos));
    ring.data = KTSTR_TRY(object.Pointer(m.data));
    return ring;
  }
};

class LogWalker {
 public:
  LogWalker(const Walk& walk, const RingMembers& members, const Ring& ring)
      : walk_(walk), m_(members), ring_(ring) {}

  std::vector<LogRow> Run() {
    std::vector<LogRow> rows;
    // Ids wrap at 2^62; at most as many records as there are descriptors.
    for (uint64_t n = 0; n <= ring_.count_mask; ++n) {
      const uint64_t id = (ring_.tail_id + n) & kIdMask;
      if (n == kMaxRecords || text_left_ == 0 || missing_ > kMaxMissing) {
        walk_.anomalies.Add("cap", ring_.descs,
                            fmt::format("the log: stopped after {} records", n));
        return rows;
      }
      if (auto row = Read(id)) rows.push_back(*std::move(row));
      if (id == ring_.head_id) return rows;
    }
    walk_.anomalies.Add(
        "damage", ring_.descs,
        fmt::format("the log ring's head ({:#x}) is not within a round of its tail ({:#x})",
                    ring_.head_id, ring_.tail_id));
    return rows;
  }

 private:
  std::optional<LogRow> Read(uint64_t id) {
    const uint64_t index = id & ring_.count_mask;
    const Kva at = ring_.descs + index * m_.desc_size;
    CellReader desc(walk_, at, "a log descriptor");
    const auto state_var = desc.Unsigned(m_.state_var);
    const auto begin = desc.Unsigned(m_.begin);
    const auto next = desc.Unsigned(m_.next);
    if (!state_var || !begin || !next) {
      ++missing_;
      return std::nullopt;
    }
    const auto state = static_cast<DescriptorState>(*state_var >> kStateShift);
    if ((*state_var & kIdMask) != id || state == kReserved) {
      walk_.anomalies.Add("being written", at,
                          fmt::format("the log record of descriptor {:#x} is being written", id));
      return std::nullopt;
    }
    // Never used, or its text was taken back already: nothing is missing.
    if (state == kReusable) return std::nullopt;

    CellReader info(walk_, ring_.infos + index * m_.info_size, "a log record");
    LogRow row;
    columns_.Read(info, row);
    if (const auto caller = info.Unsigned(m_.caller_id)) {
      row.caller =
          fmt::format("{}{}", (*caller & kCallerIsCpu) != 0 ? 'C' : 'T', *caller & ~kCallerIsCpu);
    }
    const auto length = info.Unsigned(m_.text_len);
    if (length) row.text = Text(id, *begin, *next, *length);
    return row;
  }

  // The text of the data block [begin, next), logical positions that only ever grow.
  std::optional<std::string> Text(uint64_t id, uint64_t begin, uint64_t next, uint64_t length) {
    if ((begin & kDataless) != 0 || (next & kDataless) != 0) {
      if (begin == kEmptyLine && next == kEmptyLine) return "";
      walk_.anomalies.Add("damage", std::nullopt,
                          fmt::format("log record {:#x} has lost its text", id));
      return std::nullopt;
    }
    const uint64_t mask = ring_.data_size - 1;
    // A block that would run over the ring's end stands at its begin instead.
    const bool wraps = (begin & ~mask) != (next & ~mask) && (next & mask) != 0;
    const uint64_t at = wraps ? 0 : begin & mask;
    const uint64_t size = wraps ? next & mask : next - begin;
    if (size < kBlockHeader || size > ring_.data_size || at + size > ring_.data_size) {
      walk_.anomalies.Add(
          "damage", ring_.data + at,
          fmt::format("log record {:#x} has a text block from {:#x} to {:#x}", id, begin, next));
      return std::nullopt;
    }
    const auto owner = walk_.kernel.Read<uint64_t>(ring_.data + at);
    if (owner && *owner != id) {
      walk_.anomalies.Add("overwritten", ring_.data + at,
                          fmt::format("the text of log record {:#x} was overwritten", id));
      return std::nullopt;
    }
    std::string text(std::min({length, size - kBlockHeader, text_left_}), '\0');
    text_left_ -= text.size();
    const auto read =
        walk_.kernel.Read(ring_.data + at + kBlockHeader, std::as_writable_bytes(std::span(text)));
    if (read) return text;
    walk_.anomalies.Add(read.error(), ring_.data + at, "reading a log record's text");
    return std::nullopt;
  }

  Walk walk_;
  RowReader<LogRow> columns_{walk_};
  const RingMembers& m_;
  const Ring& ring_;
  uint64_t text_left_ = kMostText;  // in bytes
  uint64_t missing_ = 0;
};

}  // namespace

const RowTable<LogRow>& LogRow::Table() {
  using R = LogRow;
  static const RowTable<R> table(
      "log", "The kernel log: what is still in the printk ring buffer, oldest first.",
      Structure{"printk_info"},
      {
          ReadCol<&R::seq>("seq", "", "Sequence number; a gap means lost records.", At("seq")),
          ReadCol<&R::time_ns>("time_ns", "ns", "When, by the local clock, since boot.",
                               At("ts_nsec")),
          ReadCol<&R::level>("level", "", "0 emergency to 7 debug.", At("level")),
          ReadCol<&R::facility>("facility", "", "syslog facility; 0 is the kernel.",
                                At("facility")),
          Col<&R::caller>("caller", "", "Who printed it: T and a thread id, or C and a CPU."),
          ReadCol<&R::subsystem>("subsystem", "", "Subsystem of the device that it is about.",
                                 MaybeAt("dev_info.subsystem").Unless(0)),
          ReadCol<&R::device>("device", "",
                              "That device: +subsystem:name, c or b and major:minor, n and index.",
                              MaybeAt("dev_info.device").Unless(0)),
          Col<&R::text>("text", "", "The message; may have several lines."),
      });
  return table;
}

Result<Walked<LogRow>> WalkLog(const GuestKernel& kernel) {
  Anomalies anomalies("log");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies));
  const RingMembers members = KTSTR_TRY(RingMembers::Resolve(walk));
  const Ring ring = KTSTR_TRY(Ring::Read(kernel, members));
  Walked<LogRow> walked;
  walked.rows = LogWalker(walk, members, ring).Run();
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr

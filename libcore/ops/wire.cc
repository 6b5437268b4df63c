#include "libcore/ops/wire.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "libcore/ops/payload.h"

namespace ktstr {

namespace {

constexpr uint32_t kRequestMagic = 0x51504f4b;  // "KOPQ"
constexpr uint32_t kReplyMagic = 0x52504f4b;    // "KOPR"
constexpr uint8_t kRequestVersion = 1;
constexpr uint8_t kReplyVersion = 2;
constexpr uint8_t kUncheckedFlag = 1;

// ---- Frames

uint64_t ChecksumOf(uint32_t magic, std::span<const std::byte> payload) {
  const uint64_t begin = magic | uint64_t{payload.size()} << 32;
  return XXH3_64bits_withSeed(payload.data(), payload.size(), begin);
}

Result<std::vector<std::byte>> Frame(uint32_t magic, std::vector<std::byte> payload, size_t limit) {
  if (payload.size() > limit - kFrameHeaderSize) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("a message of {} bytes; the limit is {} bytes",
                            payload.size() + kFrameHeaderSize, limit));
  }
  PayloadWriter frame;
  frame.Put(magic);
  frame.Put(static_cast<uint32_t>(payload.size()));
  frame.Put(ChecksumOf(magic, payload));
  frame.PutBytes(payload);
  return std::move(frame).Take();
}

// The payload of a frame whose header and checksum hold.
Result<std::span<const std::byte>> Payload(uint32_t magic, std::span<const std::byte> frame) {
  PayloadReader header(frame);
  const auto seen = header.Get<uint32_t>();
  const auto size = header.Get<uint32_t>();
  const auto checksum = header.Get<uint64_t>();
  if (!header.ok() || seen != magic || frame.size() - kFrameHeaderSize != size) {
    return Fail(ErrorCode::kDamaged, fmt::format("{} bytes are not one {}", frame.size(),
                                                 magic == kRequestMagic ? "request" : "reply"));
  }
  const auto payload = frame.subspan(kFrameHeaderSize);
  if (ChecksumOf(magic, payload) != checksum) {
    return Fail(ErrorCode::kDamaged, "the message does not match its checksum");
  }
  return payload;
}

// ---- Values and targets

enum class ValueKind : uint8_t { kU32, kU64, kBytes, kWidth, kOrU32 };
enum class TargetKind : uint8_t { kSymbol, kDirect, kKva, kPerCpuField, kTaskField };

struct ValueEncoder {
  PayloadWriter& out;
  void Kind(ValueKind kind) const { out.Put(static_cast<uint8_t>(kind)); }
  void operator()(const U32Value& v) const {
    Kind(ValueKind::kU32);
    out.Put(v.value);
  }
  void operator()(const U64Value& v) const {
    Kind(ValueKind::kU64);
    out.Put(v.value);
  }
  void operator()(const BytesValue& v) const {
    Kind(ValueKind::kBytes);
    out.Put(static_cast<uint32_t>(v.bytes.size()));
    out.PutBytes(v.bytes);
  }
  void operator()(const BytesWidth& v) const {
    Kind(ValueKind::kWidth);
    out.Put(v.size);
  }
  void operator()(const OrU32Value& v) const {
    Kind(ValueKind::kOrU32);
    out.Put(v.mask);
  }
};

OpValue DecodeValue(PayloadReader& in) {
  switch (ValueKind{in.Get<uint8_t>()}) {
    case ValueKind::kU32:
      return U32Value{in.Get<uint32_t>()};
    case ValueKind::kU64:
      return U64Value{in.Get<uint64_t>()};
    case ValueKind::kBytes:
      return BytesValue{in.GetBytes(in.Get<uint32_t>())};
    case ValueKind::kWidth:
      return BytesWidth{in.Get<uint32_t>()};
    case ValueKind::kOrU32:
      return OrU32Value{in.Get<uint32_t>()};
  }
  in.Refuse("a kind of value that is unknown");
  return {};
}

struct TargetEncoder {
  PayloadWriter& out;
  void operator()(const SymbolTarget& t) const { out.PutText(t.name, kOpNameMax); }
  void operator()(const DirectTarget& t) const { out.Put(t.kva.value()); }
  void operator()(const KvaTarget& t) const { out.Put(t.kva.value()); }
  void operator()(const PerCpuFieldTarget& t) const {
    out.PutText(t.symbol, kOpNameMax);
    out.PutText(t.field, kOpNameMax);
    out.Put(t.cpu);
  }
  void operator()(const TaskFieldTarget& t) const {
    out.Put(t.pid);
    out.Put(t.expected_start_time_ns);
    out.PutText(t.field, kOpNameMax);
  }
};

OpTarget DecodeTarget(TargetKind kind, PayloadReader& in) {
  switch (kind) {
    case TargetKind::kSymbol:
      return SymbolTarget{in.GetText(kOpNameMax)};
    case TargetKind::kDirect:
      return DirectTarget{Kva(in.Get<uint64_t>())};
    case TargetKind::kKva:
      return KvaTarget{Kva(in.Get<uint64_t>())};
    case TargetKind::kPerCpuField: {
      PerCpuFieldTarget target;
      target.symbol = in.GetText(kOpNameMax);
      target.field = in.GetText(kOpNameMax);
      target.cpu = in.Get<uint32_t>();
      return target;
    }
    case TargetKind::kTaskField: {
      TaskFieldTarget target;
      target.pid = in.Get<uint32_t>();
      target.expected_start_time_ns = in.Get<uint64_t>();
      target.field = in.GetText(kOpNameMax);
      return target;
    }
  }
  in.Refuse("a kind of target that is unknown");
  return {};
}

OpEntry DecodeEntry(PayloadReader& in) {
  const TargetKind kind{in.Get<uint8_t>()};
  const uint8_t flags = in.Get<uint8_t>();
  if ((flags & ~kUncheckedFlag) != 0) in.Refuse("a flag that is unknown");
  OpEntry entry;
  entry.unchecked = flags != 0;
  entry.target = DecodeTarget(kind, in);
  entry.value = DecodeValue(in);
  return entry;
}

OpReplyError DecodeError(PayloadReader& in) {
  const auto entry = in.Get<uint32_t>();
  const auto code = OpErrorCodeOfName(in.GetText(kOpNameMax));
  const auto layer = OpLayerOfName(in.GetText(kOpNameMax));
  if (!code || !layer) in.Refuse("a kind of error that is unknown");
  return {entry, code.value_or(OpErrorCode{}), layer.value_or(OpLayer{})};
}

// The count of what follows, each at least `smallest` bytes.
uint32_t DecodeCount(PayloadReader& in, size_t smallest) {
  const auto count = in.Get<uint32_t>();
  if (count > kOpEntriesMax)
    in.Refuse(fmt::format("{} entries; the limit is {}", count, kOpEntriesMax));
  if (count > in.left() / smallest) in.Refuse("more entries than bytes");
  return in.ok() ? count : 0;
}

Status CheckVersion(uint8_t version, uint8_t known) {
  if (version == known) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("a message of version {}; this program knows {}", version, known));
}

}  // namespace

Result<std::vector<std::byte>> EncodeRequest(const OpRequest& request) {
  if (request.entries.size() > kOpEntriesMax) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} entries; the limit is {}", request.entries.size(), kOpEntriesMax));
  }
  PayloadWriter out;
  out.Put(kRequestVersion);
  out.Put(static_cast<uint8_t>(request.mode));
  out.Put(static_cast<uint8_t>(request.direction));
  out.Put(uint8_t{0});
  out.Put(request.request_id);
  out.PutCutText(request.tag, kOpTagMax);
  out.Put(static_cast<uint32_t>(request.entries.size()));
  for (const OpEntry& entry : request.entries) {
    out.Put(static_cast<uint8_t>(entry.target.index()));
    out.Put(entry.unchecked ? kUncheckedFlag : uint8_t{0});
    std::visit(TargetEncoder{out}, entry.target);
    std::visit(ValueEncoder{out}, entry.value);
  }
  KTSTR_TRY(out.status());
  return Frame(kRequestMagic, std::move(out).Take(), kOpRequestMax);
}

Result<std::vector<std::byte>> EncodeReply(const OpReply& reply) {
  PayloadWriter out;
  out.Put(kReplyVersion);
  out.Put(static_cast<uint8_t>(reply.success));
  out.Put(static_cast<uint8_t>(reply.error.has_value()));
  out.Put(uint8_t{0});
  out.Put(reply.request_id);
  out.PutCutText(reply.reason, kOpReasonMax);
  if (reply.error) {
    out.Put(reply.error->entry);
    out.PutText(OpErrorCodeName(reply.error->code), kOpNameMax);
    out.PutText(OpLayerName(reply.error->layer), kOpNameMax);
  }
  out.Put(static_cast<uint32_t>(reply.read_values.size()));
  for (const OpValue& value : reply.read_values) std::visit(ValueEncoder{out}, value);
  KTSTR_TRY(out.status());
  return Frame(kReplyMagic, std::move(out).Take(), kOpReplyMax);
}

Result<OpRequest> DecodeRequest(std::span<const std::byte> frame) {
  PayloadReader in(KTSTR_TRY(Payload(kRequestMagic, frame)));
  KTSTR_TRY(CheckVersion(in.Get<uint8_t>(), kRequestVersion));
  OpRequest request;
  const auto mode = in.Get<uint8_t>(), direction = in.Get<uint8_t>();
  if (mode > 1 || direction > 1 || in.Get<uint8_t>() != 0) {
    in.Refuse("a mode or direction that is unknown");
  }
  request.mode = OpMode{mode};
  request.direction = OpDirection{direction};
  request.request_id = in.Get<uint32_t>();
  request.tag = in.GetText(kOpTagMax);
  constexpr size_t kSmallestEntry = 2 + 2 + 5;
  const uint32_t count = DecodeCount(in, kSmallestEntry);
  for (uint32_t i = 0; i < count && in.ok(); ++i) request.entries.push_back(DecodeEntry(in));
  KTSTR_TRY(in.Finish());
  return request;
}

Result<OpReply> DecodeReply(std::span<const std::byte> frame) {
  PayloadReader in(KTSTR_TRY(Payload(kReplyMagic, frame)));
  KTSTR_TRY(CheckVersion(in.Get<uint8_t>(), kReplyVersion));
  OpReply reply;
  const auto success = in.Get<uint8_t>(), has_error = in.Get<uint8_t>();
  if (success > 1 || has_error > 1 || in.Get<uint8_t>() != 0) {
    in.Refuse("a success that is neither 0 nor 1");
  }
  reply.success = success != 0;
  reply.request_id = in.Get<uint32_t>();
  reply.reason = in.GetText(kOpReasonMax);
  if (has_error != 0) reply.error = DecodeError(in);
  constexpr size_t kSmallestValue = 5;
  const uint32_t count = DecodeCount(in, kSmallestValue);
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    OpValue value = DecodeValue(in);
    if (value.index() > 2) in.Refuse("a value that no reply has");
    reply.read_values.push_back(std::move(value));
  }
  KTSTR_TRY(in.Finish());
  return reply;
}

Result<std::optional<size_t>> FrameSize(std::span<const std::byte> begin) {
  PayloadReader header(begin);
  const auto magic = header.Get<uint32_t>();
  if (!header.ok()) return std::nullopt;
  if (magic != kRequestMagic && magic != kReplyMagic) {
    return Fail(ErrorCode::kDamaged, fmt::format("no message begins with {:#010x}", magic));
  }
  const auto size = header.Get<uint32_t>();
  if (!header.ok()) return std::nullopt;
  const size_t limit = (magic == kRequestMagic ? kOpRequestMax : kOpReplyMax) - kFrameHeaderSize;
  if (size > limit) {
    return Fail(ErrorCode::kOutOfRange,
                fmt::format("a message of {} bytes; the limit is {} bytes", size, limit));
  }
  return size + kFrameHeaderSize;
}

}  // namespace ktstr

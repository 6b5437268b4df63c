// Requests and replies as bytes (WIRE.md). Decoding is safe on any bytes and takes memory in
// proportion to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/ops/request.h"

namespace ktstr {

// Magic, length and checksum before every message.
inline constexpr size_t kFrameHeaderSize = 16;
// What a reply takes besides its values, at most.
inline constexpr size_t kReplyOverhead = kFrameHeaderSize + 12 + kOpReasonMax;
// What a value of `width` bytes takes, at most.
constexpr size_t EncodedValueSize(uint64_t width) { return width + 8; }

// A tag that is too long is cut between two characters. Errors: kInvalidArgument for names that are
// too long, text that is no UTF-8, too many entries, and requests of more than kOpRequestMax bytes.
Result<std::vector<std::byte>> EncodeRequest(const OpRequest& request);
// A reason that is too long is cut between two characters. Errors: kInvalidArgument for values that
// no reply has, a reason that is no UTF-8, and replies of more than kOpReplyMax bytes.
Result<std::vector<std::byte>> EncodeReply(const OpReply& reply);

// `frame` is one whole message. Errors: kDamaged (no such message, checksum, contents that cannot
// be), kUnsupported (a later version), both naming what is wrong; kOutOfRange beyond a limit.
Result<OpRequest> DecodeRequest(std::span<const std::byte> frame);
Result<OpReply> DecodeReply(std::span<const std::byte> frame);

// How many bytes the message that begins with these bytes has, header included; nothing while they
// are too few to tell. For taking messages out of a stream. Errors: kDamaged when no message begins
// so, kOutOfRange when it is larger than the limits allow.
Result<std::optional<size_t>> FrameSize(std::span<const std::byte> begin);

}  // namespace ktstr

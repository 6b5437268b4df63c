#include "replay/gdb/session.h"

#include <fmt/format.h>

#include <algorithm>

namespace ktstr {

namespace {

// A packet that is lost on its way is sent again this often at most: whoever asks for more is not a
// debugger.
constexpr int kMaxResent = 8;
// Bytes of memory in one answer, of which each takes two digits.
constexpr uint64_t kMaxRead = kGdbPacketSize / 2 - 8;
// Text of the monitor in one packet, in bytes.
constexpr size_t kMonitorChunk = kGdbPacketSize / 2 - 8;

constexpr std::string_view kOk = "OK";
// Codes of errors are errno's, but gdb looks at none.
constexpr std::string_view kBadPacket = "E16";     // EINVAL
constexpr std::string_view kNoSuchThread = "E03";  // ESRCH
constexpr std::string_view kNoMemory = "E0e";      // EFAULT
constexpr std::string_view kDoesNotRun =
    "E.this machine is frozen and does not run; 'ktstr-replay resume ARCHIVE --paused --gdb "
    "SOCKET' wakes it for a debugger";
constexpr std::string_view kNotWritten =
    "E.this machine is frozen and is only read; 'ktstr-replay ops ARCHIVE --save NEW.kts' changes "
    "a "
    "copy";

// Takes `prefix` off the text, where it begins with it.
bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// "ADDRESS,LENGTH"
std::optional<std::pair<uint64_t, uint64_t>> TwoNumbers(std::string_view text) {
  const size_t comma = text.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  const auto first = GdbNumber(text.substr(0, comma)), second = GdbNumber(text.substr(comma + 1));
  if (!first || !second) return std::nullopt;
  return std::pair(*first, *second);
}

}  // namespace

GdbSession::GdbSession(GdbTarget& target) : target_(target), thread_(target.Threads().front()) {}

std::string GdbSession::Send(std::string_view data) {
  last_sent_ = GdbPacket(data);
  resent_ = 0;
  return last_sent_;
}

std::string GdbSession::Receive(std::string_view bytes) {
  std::string out;
  for (const GdbReceived& received : reader_.Feed(bytes)) {
    if (ended_) break;
    switch (received.kind) {
      case GdbReceived::Kind::kPacket:
        out += Answer(received.data);
        break;
      case GdbReceived::Kind::kBroken:
        if (acknowledges_) out += '-';
        break;
      case GdbReceived::Kind::kTooLong:
        if (acknowledges_) out += '+';
        out += Send("E.the packet is longer than PacketSize");
        break;
      case GdbReceived::Kind::kResend:
        if (acknowledges_ && resent_ < kMaxResent) {
          ++resent_;
          out += last_sent_;
        }
        break;
      case GdbReceived::Kind::kInterrupt:
        break;  // it stands already
    }
  }
  return out;
}

std::string GdbSession::Answer(std::string_view packet) {
  std::string out = acknowledges_ ? "+" : "";
  if (TakePrefix(packet, "qRcmd,")) return out + Monitor(packet);
  // Nobody waits for an answer to this.
  if (packet == "k") {
    ended_ = true;
    return out;
  }
  out += Send(Reply(packet));
  if (packet == "QStartNoAckMode") acknowledges_ = false;
  return out;
}

std::string GdbSession::Reply(std::string_view packet) {
  if (packet.empty()) return "";
  const std::string_view rest = packet.substr(1);
  switch (packet[0]) {
    case '?':
      return fmt::format("T05thread:{:x};", thread_);
    case 'g':
      return GdbRegistersHex(target_.Registers(thread_));
    case 'p':
      return ReadOneRegister(rest);
    case 'm':
      return ReadMemory(rest, /*binary=*/false);
    case 'x':
      return ReadMemory(rest, /*binary=*/true);
    case 'H':
      return Select(rest);
    case 'T': {
      const auto thread = GdbNumber(rest);
      return std::string(thread && target_.Has(*thread) ? kOk : kNoSuchThread);
    }
    case 'D':
      ended_ = true;
      return std::string(kOk);
    case 'q':
      return Query(packet);
    case 'c':
    case 'C':
    case 's':
    case 'S':
      return std::string(kDoesNotRun);
    case 'G':
    case 'P':
    case 'M':
    case 'X':
    case 'Z':
    case 'z':
      return std::string(kNotWritten);
    default:
      break;
  }
  if (packet == "QStartNoAckMode") return std::string(kOk);
  if (packet == "vCont?") return "vCont;c;C;s;S";
  if (packet.starts_with("vCont;")) return std::string(kDoesNotRun);
  if (packet.starts_with("vKill;")) {
    ended_ = true;
    return std::string(kOk);
  }
  return "";
}

std::string GdbSession::Query(std::string_view packet) {
  if (packet == "qSupported" || packet.starts_with("qSupported:")) {
    return fmt::format(
        "PacketSize={:x};QStartNoAckMode+;qXfer:features:read+;vContSupported+;binary-upload+",
        kGdbPacketSize);
  }
  if (TakePrefix(packet, "qXfer:")) return Transfer(packet);
  if (packet == "qC") return fmt::format("QC{:x}", thread_);
  if (packet == "qfThreadInfo") {
    listed_threads_ = 0;
    return ThreadList();
  }
  if (packet == "qsThreadInfo") return ThreadList();
  if (TakePrefix(packet, "qThreadExtraInfo,")) {
    const auto thread = GdbNumber(packet);
    if (!thread || !target_.Has(*thread)) return std::string(kNoSuchThread);
    return GdbHex(target_.Describe(*thread));
  }
  // The machine was there before gdb came: it is left alone when gdb goes.
  if (packet == "qAttached" || packet.starts_with("qAttached:")) return "1";
  if (packet == "qOffsets") {
    const auto begin = target_.KernelBegin();
    return begin ? fmt::format("TextSeg={:x}", begin->value()) : "";
  }
  if (packet.starts_with("qSymbol:")) return std::string(kOk);
  return "";
}

// Hg and Hc: a thread, 0 for any, -1 for all.
std::string GdbSession::Select(std::string_view packet) {
  if (packet.empty()) return std::string(kBadPacket);
  const char operation = packet[0];
  const std::string_view id = packet.substr(1);
  if (id == "-1" || id == "0") return std::string(kOk);
  const auto thread = GdbNumber(id);
  if (!thread || !target_.Has(*thread)) return std::string(kNoSuchThread);
  if (operation == 'g') thread_ = *thread;
  return std::string(kOk);
}

std::string GdbSession::ReadOneRegister(std::string_view number) {
  const auto index = GdbNumber(number);
  if (!index || *index >= GdbRegisterCount()) return std::string(kBadPacket);
  return GdbRegisterHex(target_.Registers(thread_), *index);
}

std::string GdbSession::ReadMemory(std::string_view range, bool binary) {
  const auto numbers = TwoNumbers(range);
  if (!numbers) return std::string(kBadPacket);
  const auto [address, length] = *numbers;
  // An address and what lies behind it do not go around the end of memory.
  const uint64_t to_end = address == 0 ? UINT64_MAX : -address;
  std::string bytes(std::min({length, kMaxRead, to_end}), '\0');
  if (bytes.empty()) return binary ? "b" : "";
  bytes.resize(target_.Read(thread_, Kva(address), std::as_writable_bytes(std::span(bytes))));
  if (bytes.empty()) return std::string(kNoMemory);
  return binary ? "b" + bytes : GdbHex(bytes);
}

// What is left of a request for part of an object: "features:read:target.xml:OFFSET,LENGTH".
std::string GdbSession::Transfer(std::string_view request) {
  if (!TakePrefix(request, "features:read:")) return "";
  if (!TakePrefix(request, "target.xml:")) return "E00";  // no such annex
  const auto range = TwoNumbers(request);
  const std::string& xml = GdbTargetXml();
  if (!range || range->first > xml.size()) return std::string(kBadPacket);
  const std::string part =
      xml.substr(range->first, std::min<uint64_t>(range->second, kGdbPacketSize / 2 - 8));
  return (range->first + part.size() == xml.size() ? 'l' : 'm') + part;
}

std::string GdbSession::ThreadList() {
  const auto threads = target_.Threads();
  std::string list;
  for (; listed_threads_ < threads.size() && list.size() < kGdbPacketSize - 32; ++listed_threads_) {
    list += fmt::format("{}{:x}", list.empty() ? 'm' : ',', threads[listed_threads_]);
  }
  return list.empty() ? "l" : list;
}

std::string GdbSession::Monitor(std::string_view hex) {
  const auto words = FromGdbHex(hex);
  if (!words) return Send(kBadPacket);
  const std::string text = target_.Monitor(thread_, *words);
  std::string out;
  for (size_t at = 0; at < text.size(); at += kMonitorChunk) {
    out += Send("O" + GdbHex(std::string_view(text).substr(at, kMonitorChunk)));
  }
  return out + Send(kOk);
}

}  // namespace ktstr

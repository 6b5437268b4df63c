// Packets of gdb's remote serial protocol ("Remote Protocol" in the manual of GDB), as bytes come
// in and go out: `$data#checksum`, with acknowledgements until both sides do without.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ktstr {

// The most that a packet of either side may hold, in bytes; the client is told (PacketSize).
inline constexpr size_t kGdbPacketSize = 0x4000;

// One thing that the other side sent.
struct GdbReceived {
  enum class Kind : uint8_t {
    kPacket,
    kBroken,    // a packet whose checksum is another: to be sent once more
    kTooLong,   // a packet of more than kGdbPacketSize bytes, whose bytes are gone
    kResend,    // '-': the other side asks for the last packet again
    kInterrupt  // 0x03: the machine is to stop
  };
  Kind kind;
  std::string data;  // of kPacket
};

// Takes packets out of bytes, which may arrive cut anywhere. Holds kGdbPacketSize bytes at most.
class GdbPacketReader {
 public:
  // What these bytes completed, in order. Bytes between packets that mean nothing are passed over.
  std::vector<GdbReceived> Feed(std::string_view bytes);

 private:
  enum class State : uint8_t { kBetween, kData, kFirstDigit, kSecondDigit };

  std::optional<GdbReceived> Take(char byte);
  GdbReceived Finish(char digit);

  State state_ = State::kBetween;
  std::string data_;
  uint8_t sum_ = 0;
  int first_digit_ = -1;
  bool too_long_ = false;
};

// The packet that carries these bytes, with what must not stand in one escaped.
std::string GdbPacket(std::string_view data);

// Two hexadecimal digits a byte.
std::string GdbHex(std::string_view bytes);
// Nothing where it is not hexadecimal digits in pairs.
std::optional<std::string> FromGdbHex(std::string_view digits);
// A hexadecimal number that is all of the text; nothing for any other, and beyond 64 bits.
std::optional<uint64_t> GdbNumber(std::string_view digits);

}  // namespace ktstr

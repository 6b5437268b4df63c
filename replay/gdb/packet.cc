#include "replay/gdb/packet.h"

#include <charconv>

namespace ktstr {

namespace {

int ValueOfDigit(char digit) {
  if ('0' <= digit && digit <= '9') return digit - '0';
  if ('a' <= digit && digit <= 'f') return digit - 'a' + 10;
  if ('A' <= digit && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

void AppendHex(std::string& out, uint8_t byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

}  // namespace

std::vector<GdbReceived> GdbPacketReader::Feed(std::string_view bytes) {
  std::vector<GdbReceived> received;
  for (const char byte : bytes) {
    if (auto one = Take(byte)) received.push_back(*std::move(one));
  }
  return received;
}

std::optional<GdbReceived> GdbPacketReader::Take(char byte) {
  // A '$' within a packet would be escaped: this one begins another.
  if (byte == '$') {
    state_ = State::kData;
    data_.clear();
    sum_ = 0;
    too_long_ = false;
    return std::nullopt;
  }
  switch (state_) {
    case State::kBetween:
      if (byte == '-') return GdbReceived{GdbReceived::Kind::kResend, {}};
      if (byte == '\x03') return GdbReceived{GdbReceived::Kind::kInterrupt, {}};
      return std::nullopt;
    case State::kData:
      if (byte == '#') {
        state_ = State::kFirstDigit;
        return std::nullopt;
      }
      sum_ = static_cast<uint8_t>(sum_ + static_cast<uint8_t>(byte));
      if (data_.size() < kGdbPacketSize) {
        data_ += byte;
      } else {
        too_long_ = true;
      }
      return std::nullopt;
    case State::kFirstDigit:
      first_digit_ = ValueOfDigit(byte);
      state_ = State::kSecondDigit;
      return std::nullopt;
    case State::kSecondDigit:
      return Finish(byte);
  }
  return std::nullopt;
}

GdbReceived GdbPacketReader::Finish(char digit) {
  state_ = State::kBetween;
  const int second = ValueOfDigit(digit);
  if (first_digit_ < 0 || second < 0 || first_digit_ * 16 + second != sum_) {
    return {GdbReceived::Kind::kBroken, {}};
  }
  if (too_long_) return {GdbReceived::Kind::kTooLong, {}};
  return {GdbReceived::Kind::kPacket, std::move(data_)};
}

std::string GdbPacket(std::string_view data) {
  std::string packet = "$";
  packet.reserve(data.size() + 4);
  uint8_t sum = 0;
  const auto add = [&](char byte) {
    packet += byte;
    sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(byte));
  };
  for (const char byte : data) {
    if (byte == '$' || byte == '#' || byte == '}' || byte == '*') {
      add('}');
      add(static_cast<char>(byte ^ 0x20));
    } else {
      add(byte);
    }
  }
  packet += '#';
  AppendHex(packet, sum);
  return packet;
}

std::string GdbHex(std::string_view bytes) {
  std::string digits;
  digits.reserve(2 * bytes.size());
  for (const char byte : bytes) AppendHex(digits, static_cast<uint8_t>(byte));
  return digits;
}

std::optional<std::string> FromGdbHex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (size_t i = 0; i < digits.size(); i += 2) {
    const int high = ValueOfDigit(digits[i]), low = ValueOfDigit(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::optional<uint64_t> GdbNumber(std::string_view digits) {
  uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, value, 16);
  if (digits.empty() || error != std::errc() || at != end) return std::nullopt;
  return value;
}

}  // namespace ktstr

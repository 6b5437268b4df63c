#include "libcore/ops/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "libcore/base/utf8.h"
#include "libcore/ops/payload.h"
#include "sample_messages.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ktstr {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

// A frame whose checksum is right, whatever its payload holds.
Bytes Sealed(uint32_t magic, const Bytes& payload) {
  PayloadWriter frame;
  frame.Put(magic);
  frame.Put(static_cast<uint32_t>(payload.size()));
  frame.Put<uint64_t>(
      XXH3_64bits_withSeed(payload.data(), payload.size(), magic | uint64_t{payload.size()} << 32));
  frame.PutBytes(payload);
  return std::move(frame).Take();
}

uint32_t MagicOf(const Bytes& frame) { return PayloadReader(frame).Get<uint32_t>(); }
Bytes PayloadOf(const Bytes& frame) { return {frame.begin() + kFrameHeaderSize, frame.end()}; }

TEST(WireTest, EveryRequestAndReplyComesBack) {
  for (const OpRequest& request : SampleRequests()) {
    const auto frame = EncodeRequest(request);
    ASSERT_TRUE(frame) << frame.error().ToString();
    EXPECT_EQ(DecodeRequest(*frame), request);
  }
  for (const OpReply& reply : SampleReplies()) {
    const auto frame = EncodeReply(reply);
    ASSERT_TRUE(frame) << frame.error().ToString();
    EXPECT_EQ(DecodeReply(*frame), reply);
  }
}

TEST(WireTest, MessagesAreWhatTheirSpecificationSays) {
  OpRequest request = {.request_id = 0x01020304, .tag = "t"};
  request.entries = {{KvaTarget{Kva(0x1122334455667788)}, U32Value{9}, true}};
  const Bytes frame = EncodeRequest(request).value();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(frame.data()), 4), "KOPQ");
  const std::vector<int> expected = {1,    1,    0,    0,    4,    3, 2, 1,    1,    0,
                                     't',  1,    0,    0,    0,    2, 1, 0x88, 0x77, 0x66,
                                     0x55, 0x44, 0x33, 0x22, 0x11, 0, 9, 0,    0,    0};
  std::vector<int> payload;
  for (const std::byte b : PayloadOf(frame)) payload.push_back(std::to_integer<int>(b));
  EXPECT_EQ(payload, expected);
  EXPECT_EQ(Sealed(0x51504f4b, PayloadOf(frame)), frame);
}

TEST(WireTest, AnyChangedByteIsNoticed) {
  const Bytes frame = EncodeRequest(SampleRequests().back()).value();
  for (size_t at = 0; at < frame.size(); ++at) {
    Bytes changed = frame;
    changed[at] ^= std::byte(1);
    EXPECT_FALSE(DecodeRequest(changed)) << at;
  }
}

TEST(WireTest, AnyCutOrAddedByteIsNoticed) {
  Bytes frame = EncodeReply(SampleReplies().back()).value();
  for (size_t size = 0; size < frame.size(); ++size) {
    const auto reply = DecodeReply(std::span(frame).first(size));
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), ErrorCode::kDamaged);
  }
  frame.push_back(std::byte(0));
  EXPECT_FALSE(DecodeReply(frame));
}

TEST(WireTest, ARequestIsNoReply) {
  EXPECT_FALSE(DecodeReply(EncodeRequest(OpRequest()).value()));
  EXPECT_FALSE(DecodeRequest(EncodeReply(OpReply()).value()));
}

TEST(WireTest, HostilePayloadsUnderARightChecksumNeverCrashAndWhatTheyYieldComesBack) {
  std::mt19937_64 random(20261123);
  size_t accepted = 0;
  for (const OpRequest& sample : SampleRequests()) {
    const Bytes frame = EncodeRequest(sample).value();
    for (int round = 0; round < 20'000; ++round) {
      Bytes payload = PayloadOf(frame);
      for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
        payload[random() % payload.size()] = std::byte(random());
      }
      if (random() % 8 == 0) payload.resize(random() % payload.size());
      const auto request = DecodeRequest(Sealed(MagicOf(frame), payload));
      if (!request) continue;
      ++accepted;
      EXPECT_EQ(PayloadOf(EncodeRequest(*request).value()), payload);
    }
  }
  EXPECT_GT(accepted, 100u) << "mutations that are still requests";
  for (const OpReply& sample : SampleReplies()) {
    const Bytes frame = EncodeReply(sample).value();
    for (int round = 0; round < 20'000; ++round) {
      Bytes payload = PayloadOf(frame);
      payload[random() % payload.size()] = std::byte(random());
      const auto reply = DecodeReply(Sealed(MagicOf(frame), payload));
      if (!reply) continue;
      EXPECT_EQ(PayloadOf(EncodeReply(*reply).value()), payload);
    }
  }
}

TEST(WireTest, CountsAndLengthsThatTheBytesCannotHoldAreRefused) {
  const Bytes frame = EncodeRequest({.entries = {{SymbolTarget{"x"}, BytesValue{}}}}).value();
  const Bytes payload = PayloadOf(frame);
  // The count of entries, and the length of the bytes, which ends the payload.
  for (const size_t at : {size_t{10}, payload.size() - 4}) {
    for (const uint32_t lie : {2u, 4096u, 4097u, 0x7fffffffu, 0xffffffffu}) {
      Bytes changed = payload;
      for (int i = 0; i < 4; ++i) changed[at + i] = std::byte(lie >> (8 * i));
      const auto request = DecodeRequest(Sealed(MagicOf(frame), changed));
      ASSERT_FALSE(request);
      EXPECT_EQ(request.error().code(), ErrorCode::kDamaged);
    }
  }
}

TEST(WireTest, ALaterVersionIsUnsupported) {
  Bytes payload = PayloadOf(EncodeRequest(OpRequest()).value());
  payload[0] = std::byte(2);
  EXPECT_EQ(DecodeRequest(Sealed(0x51504f4b, payload)).error().code(), ErrorCode::kUnsupported);
}

TEST(WireTest, TagsAndReasonsAreCutBetweenTwoCharacters) {
  std::string text(1, 'x');
  while (text.size() <= kOpTagMax) text += "\U0001f980";
  OpRequest request;
  request.tag = text;
  const std::string tag = DecodeRequest(EncodeRequest(request).value())->tag;
  EXPECT_EQ(tag.size(), 253u);
  EXPECT_TRUE(IsUtf8(tag));
  OpReply reply;
  reply.reason = text;
  EXPECT_EQ(DecodeReply(EncodeReply(reply).value())->reason, tag);
}

TEST(WireTest, WhatIsTooLargeIsNotSent) {
  OpRequest names = {.entries = {{SymbolTarget{std::string(kOpNameMax + 1, 'x')}, U32Value{}}}};
  EXPECT_EQ(EncodeRequest(names).error().code(), ErrorCode::kInvalidArgument);
  names.entries[0].target = SymbolTarget{"\xff"};
  EXPECT_EQ(EncodeRequest(names).error().code(), ErrorCode::kInvalidArgument);
  OpRequest many;
  many.entries.resize(kOpEntriesMax + 1);
  EXPECT_EQ(EncodeRequest(many).error().code(), ErrorCode::kInvalidArgument);
  OpReply reply;
  reply.read_values = {BytesValue{Bytes(kOpReplyMax)}};
  const auto encoded = EncodeReply(reply);
  ASSERT_FALSE(encoded);
  EXPECT_THAT(encoded.error().message(), HasSubstr("1048576"));
  reply.read_values = {BytesValue{Bytes(kOpReplyMax - kReplyOverhead - EncodedValueSize(0))}};
  EXPECT_LE(EncodeReply(reply)->size(), kOpReplyMax);
}

TEST(WireTest, FramesAreTakenOutOfAStreamByTheirSize) {
  const Bytes frame = EncodeRequest(SampleRequests().back()).value();
  EXPECT_EQ(FrameSize(frame).value(), frame.size());
  for (size_t size = 0; size < 8; ++size) {
    EXPECT_EQ(FrameSize(std::span(frame).first(size)).value(), std::nullopt);
  }
  EXPECT_EQ(FrameSize(std::span(frame).first(8)).value(), frame.size());
  EXPECT_EQ(FrameSize(Bytes(8, std::byte('x'))).error().code(), ErrorCode::kDamaged);
  Bytes large(frame.begin(), frame.begin() + 8);
  large[7] = std::byte(0x7f);
  EXPECT_EQ(FrameSize(large).error().code(), ErrorCode::kOutOfRange);
}

}  // namespace
}  // namespace ktstr

// Proves: whatever a request or reply says, as JSON or as bytes, decoding it ends and what was
// decoded is written the same again; and a kernel does any request that can be decoded, or says why
// not.
//
// Input: J or j and JSON, B or b and a message whose checksum is repaired; capitals are requests.
#include <algorithm>

#include "fixtures/synthetic/kernel_builder.h"
#include "fixtures/synthetic/sched_builder.h"
#include "fixtures/synthetic/still_guest.h"
#include "fuzz.h"
#include "libcore/ops/dispatcher.h"
#include "libcore/ops/json.h"
#include "libcore/ops/wire.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ktstr::fuzz {
namespace {

// A kernel with a task of sched_ext's.
class Guest {
 public:
  Guest() {
    synthetic::KernelBuilder builder;
    synthetic::SchedBuilder sched(builder);
    builder.Data("jiffies", 8);
    sched.AddProcess({.pid = 40, .comm = "scx", .state = 1, .sched_class = "ext"});
    sched.Finish();
    guest_ = builder.Finish();
    kernel_ = GuestKernel::Open(*guest_.memory, guest_.vcpus).value();
    dispatcher_ = std::make_unique<Dispatcher>(*kernel_);
  }
  OpReply Do(const OpRequest& request) {
    return synthetic::StillGuest::Exclusively(
        [&](const Exclusive& exclusive) { return dispatcher_->Dispatch(exclusive, request); });
  }

 private:
  synthetic::SyntheticGuest guest_;
  std::unique_ptr<GuestKernel> kernel_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

// Reads alone: a write may change what later inputs meet, and an input must be enough to see the
// same.
void Do(OpRequest request) {
  static Guest guest;
  request.direction = OpDirection::kRead;
  const OpReply reply = guest.Do(request);
  Require(EncodeReply(reply).has_value(), "every reply can be sent");
}

void CheckRequest(const OpRequest& request) {
  const std::string text = ToJson(request);
  const auto again = RequestFromJson(text);
  Require(again && ToJson(*again) == text, "a request comes back from its JSON");
  if (const auto frame = EncodeRequest(request)) {
    const auto decoded = DecodeRequest(*frame);
    Require(decoded && *decoded == request, "a request comes back from its bytes");
  }
  Do(request);
}

void CheckReply(const OpReply& reply) {
  if (const auto frame = EncodeReply(reply)) {
    const auto decoded = DecodeReply(*frame);
    Require(decoded && *decoded == reply, "a reply comes back from its bytes");
  }
  (void)ToJson(reply);
}

// Length and checksum as they should be (WIRE.md): of magic and length as seed, over the rest.
std::vector<std::byte> Repaired(std::span<const std::byte> bytes) {
  std::vector<std::byte> frame(bytes.begin(), bytes.end());
  if (frame.size() < kFrameHeaderSize) return frame;
  uint32_t magic;
  std::memcpy(&magic, frame.data(), sizeof magic);
  const uint32_t size = uint32_t(frame.size() - kFrameHeaderSize);
  std::memcpy(frame.data() + 4, &size, sizeof size);
  const uint64_t seed = uint64_t{size} << 32 | magic;
  const uint64_t sum = XXH3_64bits_withSeed(frame.data() + kFrameHeaderSize, size, seed);
  std::memcpy(frame.data() + 8, &sum, sizeof sum);
  return frame;
}

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  using namespace ktstr::fuzz;
  if (size == 0) return 0;
  const std::string_view text = AsText(data + 1, size - 1);
  const auto bytes = AsBytes(data + 1, size - 1);
  switch (data[0]) {
    case 'J':
      if (const auto request = RequestFromJson(text)) CheckRequest(*request);
      break;
    case 'j':
      if (const auto reply = ReplyFromJson(text)) CheckReply(*reply);
      break;
    case 'B':
      (void)FrameSize(bytes);
      if (const auto request = DecodeRequest(Repaired(bytes))) CheckRequest(*request);
      break;
    case 'b':
      if (const auto reply = DecodeReply(Repaired(bytes))) CheckReply(*reply);
      break;
    default:
      break;
  }
  return 0;
}

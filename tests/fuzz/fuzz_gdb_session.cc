// Proves: whatever comes where gdb is expected (ktstr-replay gdb), it is answered in bounds.
//
// Input: what the client sends, in pieces; the first byte of each says how long it is.
#include "fuzz.h"
#include "replay/gdb/session.h"

namespace {

using namespace ktstr;

// Many threads, registers of which some are not known, and memory with a hole in each second page.
class FuzzTarget : public GdbTarget {
 public:
  std::vector<GdbThread> Threads() override {
    std::vector<GdbThread> threads(5000);
    for (size_t i = 0; i < threads.size(); ++i) threads[i] = i + 1;
    return threads;
  }
  bool Has(GdbThread thread) override { return thread >= 1 && thread <= 5000; }
  std::string Describe(GdbThread thread) override {
    fuzz::Require(Has(thread), "only threads that there are are asked for");
    return "thread";
  }
  GdbRegisterValues Registers(GdbThread thread) override {
    fuzz::Require(Has(thread), "only threads that there are are asked for");
    return thread % 2 == 0 ? GdbValuesOf({}) : GdbNoValues();
  }
  size_t Read(GdbThread thread, Kva address, std::span<std::byte> out) override {
    fuzz::Require(Has(thread), "only threads that there are are asked for");
    fuzz::Require(!out.empty() && address.value() + (out.size() - 1) >= address.value(),
                  "a range does not go around the end");
    size_t read = 0;
    while (read < out.size() && ((address.value() + read) >> 12) % 2 == 0)
      out[read++] = std::byte('#');
    return read;
  }
  std::optional<Kva> KernelBegin() override { return std::nullopt; }
  std::string Monitor(GdbThread, std::string_view words) override { return std::string(words); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzTarget target;
  GdbSession session(target);
  std::string_view input = fuzz::AsText(data, size);
  while (!input.empty()) {
    const size_t length = std::min<size_t>(static_cast<uint8_t>(input[0]), input.size() - 1);
    const std::string answer = session.Receive(input.substr(1, length));
    // Each packet takes four bytes at least, and its answer some packets at most.
    fuzz::Require(answer.size() <= (length / 4 + 2) * 10 * kGdbPacketSize, "answers are bounded");
    input.remove_prefix(1 + length);
  }
  return 0;
}

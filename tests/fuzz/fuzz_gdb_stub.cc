// Proves: whatever answers where QEMU's gdbstub is expected, talking with it ends.
//
// Input: what the peer says, all at once, and then it is gone.
#include <sys/socket.h>

#include "capture/qemu/gdb_stub.h"
#include "capture/qemu/json_socket.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  auto pair = MakeSocketPair();
  fuzz::Require(pair.has_value(), "there can be a pair of sockets");
  (void)!send(pair->theirs.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(pair->theirs.get(), SHUT_WR);
  constexpr std::chrono::milliseconds kShort(1000);
  const auto stub = GdbStub::Open(std::move(pair->ours), "the peer", kShort);
  if (!stub) return 0;
  (void)(*stub)->SetBreakpoint(Kva(0xffffffff81000000));
  (void)(*stub)->Continue();
  for (int i = 0; i < 4; ++i) {
    const auto stop = (*stub)->WaitForStop(After(kShort));
    fuzz::Require(!stop || stop->cpu >= 0, "a CPU counts from 0");
  }
  (void)(*stub)->Step(0);
  (void)(*stub)->Detach();
  return 0;
}

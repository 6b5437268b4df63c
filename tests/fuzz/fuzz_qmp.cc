// Proves: whatever answers where QEMU's control socket is expected, and whatever its monitor
// prints, talking with it ends, and none of it is taken for more than text.
//
// Input: what the peer says, all at once, and then it is gone.
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "capture/qemu/json_socket.h"
#include "capture/qemu/machine_facts.h"
#include "capture/qemu/memory_tree.h"
#include "capture/qemu/qmp_address.h"
#include "capture/qemu/qmp_client.h"
#include "capture/qemu/register_text.h"
#include "capture/qemu/unplugged.h"
#include "fuzz.h"

namespace ktstr::fuzz {
namespace {

void AskMonitorTexts(std::string_view text) {
  (void)ParseMemoryTree(text);
  for (const std::string_view part : SplitByCpu(text)) {
    for (const char* name : {"RDI=", "RIP=", "CR3=", "IDT=", "GDT="}) (void)RegisterIn(part, name);
  }
  (void)ParseQmpAddress(text);
}

void Talk(std::string_view text) {
  auto pair = MakeSocketPair();
  Require(pair.has_value(), "there can be a pair of sockets");
  const int size = int(text.size()) + (1 << 16);
  setsockopt(pair->theirs.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  (void)!send(pair->theirs.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(pair->theirs.get(), SHUT_WR);
  constexpr std::chrono::milliseconds kShort(1000);
  const auto client = QmpClient::Open(std::move(pair->ours), "the peer", kShort);
  if (!client) return;
  (void)(*client)->Execute("query-status", nullptr, {.timeout = kShort, .fds = {}});
  (void)AskMachineFacts(**client);
  (void)VirtioMemDevices(**client);
  const auto printed = (*client)->HumanCommand("info mtree -f", {.timeout = kShort, .fds = {}});
  if (printed) AskMonitorTexts(*printed);
  for (int i = 0; i < 8; ++i) (void)(*client)->NextEvent(After(kShort));
}

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::fuzz;
  Talk(AsText(data, size));
  AskMonitorTexts(AsText(data, size));
  return 0;
}

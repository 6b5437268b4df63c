// Asks the host for operations on this guest's own kernel: reads a request as JSON from standard
// input, sends it over the port for them, waits, and prints the reply as JSON. While the host is at
// it, this whole machine stands still.
//
// Exit codes: 0 done, 1 the batch failed (the reply says why), 2 a wrong request, 4 the host could
// not be reached.

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "libcore/ops/json.h"
#include "libcore/ops/wire.h"
#include "port_device.h"
#include "protocol.h"

namespace ktstr::guest {
namespace {

Status SendAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) return Fail(ErrorCode::kPeer, strerror(errno));
    if (n > 0) bytes = bytes.subspan(n);
  }
  return {};
}

// The next whole message.
Result<std::vector<std::byte>> ReceiveFrame(int fd) {
  std::vector<std::byte> frame;
  for (;;) {
    const auto size = KTSTR_TRY(FrameSize(frame));
    if (size && frame.size() >= *size) return frame;
    std::byte buffer[4096];
    // Never more than this message: another may follow.
    const size_t wanted = size ? std::min(sizeof buffer, *size - frame.size()) : 1;
    const ssize_t n = read(fd, buffer, wanted);
    if (n == 0) return Fail(ErrorCode::kPeer, "the host has closed the port");
    if (n < 0 && errno != EINTR) return Fail(ErrorCode::kPeer, strerror(errno));
    if (n > 0) frame.insert(frame.end(), buffer, buffer + n);
  }
}

Result<OpReply> Ask(const OpRequest& request) {
  const auto message = KTSTR_TRY(EncodeRequest(request));
  std::string error;
  const int fd = OpenPort(kOpsPortName, &error);
  if (fd < 0) return Fail(ErrorCode::kPeer, error);
  KTSTR_TRY(SendAll(fd, message));
  const auto reply = KTSTR_TRY(ReceiveFrame(fd));
  return DecodeReply(reply);
}

int Main() {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, n);
    if (text.size() > kOpJsonMax) break;
  }
  const auto request = RequestFromJson(text);
  const auto reply = request ? Ask(*request) : Result<OpReply>(Fail(request.error()));
  if (!reply) {
    fprintf(stderr, "ktstr ops: %s\n", reply.error().ToString().c_str());
    return static_cast<int>(ExitCodeFor(reply.error().code()));
  }
  printf("%s\n", ToJson(*reply).c_str());
  return static_cast<int>(reply->success ? ExitCode::kDone : ExitCode::kAnswerIsNo);
}

}  // namespace
}  // namespace ktstr::guest

int main() { return ktstr::guest::Main(); }

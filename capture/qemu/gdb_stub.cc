#include "capture/qemu/gdb_stub.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <charconv>

#include "capture/system/system_error.h"
#include "capture/system/unix_socket.h"

namespace ktstr {

namespace {

// The longest packet taken, in bytes: QEMU's are 4096 at most.
constexpr size_t kPacketLimit = size_t{64} << 10;

// Signals as GDB numbers them (include/gdb/signals.def).
constexpr int kSigInt = 2, kSigTrap = 5;

// Ends an answer that QEMU still waits to be told of, and stops the machine when it runs. One that
// stands ignores both. (Answers are not acknowledged at other times: to a machine that runs on, a
// late "+" is one more byte that stops it.)
constexpr std::string_view kAttention = "+\x03";

uint8_t ChecksumOf(std::string_view packet) {
  uint8_t sum = 0;
  for (const char c : packet) sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(c));
  return sum;
}

template <typename T>
std::optional<T> ParseHex(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Threads are CPUs, counted from 1: "02", or "p01.02" with a process before it.
std::optional<int> CpuOfThread(std::string_view thread) {
  if (thread.starts_with('p')) thread.remove_prefix(std::min(thread.find('.') + 1, thread.size()));
  const auto number = ParseHex<int>(thread);
  if (!number || *number < 1) return std::nullopt;
  return *number - 1;
}

// The number by which Z and z packets call it.
int TypeOf(BreakpointKind kind) { return kind == BreakpointKind::kSoftware ? 0 : 1; }

bool IsStop(std::string_view packet) {
  return !packet.empty() && std::string_view("TSWX").find(packet[0]) != std::string_view::npos;
}

// "T05thread:01;watch:ffffffff82a3c5d0;", "S05", or the end of the machine: "W00", "X06".
std::optional<GdbStop> ParseStop(std::string_view packet) {
  GdbStop stop;
  const auto signal = ParseHex<int>(packet.substr(1, 2));
  if (!signal) return std::nullopt;
  stop.signal = *signal;
  if (packet[0] == 'W' || packet[0] == 'X') return stop;
  if (packet.size() < 3) return std::nullopt;
  if (stop.signal == kSigTrap) stop.reason = GdbStop::Reason::kBreakpoint;
  if (stop.signal == kSigInt) stop.reason = GdbStop::Reason::kPaused;
  for (packet.remove_prefix(3); !packet.empty();) {
    const std::string_view pair = packet.substr(0, packet.find(';'));
    packet.remove_prefix(std::min(pair.size() + 1, packet.size()));
    const size_t colon = pair.find(':');
    if (colon == pair.npos) return std::nullopt;
    const std::string_view key = pair.substr(0, colon), value = pair.substr(colon + 1);
    if (key == "thread") {
      const auto cpu = CpuOfThread(value);
      if (!cpu) return std::nullopt;
      stop.cpu = *cpu;
    } else if (key == "watch" || key == "rwatch" || key == "awatch") {
      const auto address = ParseHex<uint64_t>(value);
      if (!address) return std::nullopt;
      stop.reason = GdbStop::Reason::kWatchpoint;
      stop.address = Kva(*address);
    }
  }
  return stop;
}

}  // namespace

Result<std::unique_ptr<GdbStub>> GdbStub::Connect(const std::string& socket,
                                                  std::chrono::milliseconds timeout) {
  UniqueFd fd = KTSTR_TRY(ConnectToUnixSocket(socket, After(timeout)));
  return Open(std::move(fd), fmt::format("the gdbstub at '{}'", socket), timeout);
}

Result<std::unique_ptr<GdbStub>> GdbStub::Open(UniqueFd socket, std::string name,
                                               std::chrono::milliseconds timeout) {
  std::unique_ptr<GdbStub> stub(new GdbStub(std::move(socket), std::move(name), timeout));
  KTSTR_TRY(stub->Halt());
  return stub;
}

Status GdbStub::Halt() {
  // A command that no stub knows, by which to tell the answer to it from stops told before.
  const std::string answer = KTSTR_TRY(Ask("vMustReplyEmpty"));
  if (answer.empty()) return {};
  return Fail(ErrorCode::kPeer,
              fmt::format("{} is no gdbstub: it answers '{}' to what none knows", name_, answer));
}

Status GdbStub::SetBreakpoint(Kva address, BreakpointKind kind) {
  return Command(fmt::format("Z{},{:x},1", TypeOf(kind), address.value()), "a breakpoint");
}

Status GdbStub::RemoveBreakpoint(Kva address, BreakpointKind kind) {
  return Command(fmt::format("z{},{:x},1", TypeOf(kind), address.value()),
                 "taking a breakpoint away");
}

Status GdbStub::SelectCpu(int cpu) {
  return Command(fmt::format("Hc{:x}", cpu + 1), "choosing a CPU");
}

Status GdbStub::SetWriteWatchpoint(Kva address, uint64_t length) {
  return Command(fmt::format("Z2,{:x},{:x}", address.value(), length), "a watchpoint");
}

Status GdbStub::RemoveWriteWatchpoint(Kva address, uint64_t length) {
  return Command(fmt::format("z2,{:x},{:x}", address.value(), length), "taking a watchpoint away");
}

Status GdbStub::Continue() {
  KTSTR_TRY(Halt());
  stops_.clear();
  return Send("c", After(timeout_));
}

Result<GdbStop> GdbStub::Step(int cpu) {
  KTSTR_TRY(Halt());
  stops_.clear();
  const Deadline deadline = After(timeout_);
  KTSTR_TRY(Send(fmt::format("vCont;s:{:x}", cpu + 1), deadline));
  return WaitForStop(deadline);
}

Status GdbStub::Detach() {
  KTSTR_TRY(Command("D", "to be left"));
  fd_.Close();
  return {};
}

Result<GdbStop> GdbStub::WaitForStop(Deadline deadline) {
  while (stops_.empty()) {
    const std::string packet = KTSTR_TRY(Receive(deadline));
    if (!IsStop(packet)) {
      return Fail(ErrorCode::kPeer, fmt::format("{} says '{}' unasked", name_, packet));
    }
  }
  const GdbStop stop = stops_.front();
  stops_.pop_front();
  return stop;
}

Status GdbStub::Command(std::string_view packet, std::string_view what) {
  const std::string answer = KTSTR_TRY(Ask(packet));
  if (answer == "OK") return {};
  return Fail(ErrorCode::kPeer, fmt::format("{} refuses {}: '{}' to '{}'", name_, what,
                                            answer.empty() ? "not supported" : answer, packet));
}

Result<std::string> GdbStub::Ask(std::string_view packet) {
  const Deadline deadline = After(timeout_);
  KTSTR_TRY(Send(packet, deadline));
  for (;;) {
    std::string answer = KTSTR_TRY(Receive(deadline));
    if (!IsStop(answer)) return answer;
  }
}

Status GdbStub::AwaitEvent(short events, Deadline deadline) {
  for (;;) {
    pollfd waiting = {fd_.get(), events, 0};
    const int ready = poll(&waiting, 1, PollTimeout(deadline));
    if (ready > 0) return {};
    if (ready == 0) return Fail(ErrorCode::kTimeout, name_ + " said nothing in time");
    if (errno != EINTR) return FailErrno("waiting for " + name_);
  }
}

Status GdbStub::Send(std::string_view packet, Deadline deadline) {
  const std::string bytes = fmt::format("{}${}#{:02x}", kAttention, packet, ChecksumOf(packet));
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t sent =
        send(fd_.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      at += static_cast<size_t>(sent);
    } else if (errno == EAGAIN) {
      KTSTR_TRY(AwaitEvent(POLLOUT, deadline));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return Fail(ErrorCode::kPeer, name_ + " has closed the connection");
    } else if (errno != EINTR) {
      return FailErrno("sending to " + name_);
    }
  }
  return {};
}

Status GdbStub::Fill(Deadline deadline) {
  char buffer[4096];
  for (;;) {
    const ssize_t n = recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0) {
      received_.append(buffer, static_cast<size_t>(n));
      return {};
    }
    if (n == 0 || errno == ECONNRESET) {
      return Fail(ErrorCode::kPeer, name_ + " has closed the connection");
    }
    if (errno == EAGAIN) {
      KTSTR_TRY(AwaitEvent(POLLIN, deadline));
    } else if (errno != EINTR) {
      return FailErrno("receiving from " + name_);
    }
  }
}

// The next packet's content; a stop is noted as well.
Result<std::string> GdbStub::Receive(Deadline deadline) {
  for (;;) {
    // Between packets there are acknowledgements, "+".
    received_.erase(0, std::min(received_.find('$'), received_.size()));
    const size_t end = received_.find('#');
    if (end == std::string::npos || received_.size() < end + 3) {
      if (received_.size() > kPacketLimit) {
        return Fail(ErrorCode::kPeer,
                    fmt::format("{} sent a packet of more than {} bytes", name_, kPacketLimit));
      }
      KTSTR_TRY(Fill(deadline));
      continue;
    }
    std::string packet = received_.substr(1, end - 1);
    const auto sum = ParseHex<int>(std::string_view(received_).substr(end + 1, 2));
    received_.erase(0, end + 3);
    if (sum != ChecksumOf(packet)) {
      return Fail(ErrorCode::kPeer,
                  fmt::format("{} sent a damaged packet: '{}'", name_, packet.substr(0, 60)));
    }
    if (IsStop(packet)) {
      const auto stop = ParseStop(packet);
      if (!stop) {
        return Fail(ErrorCode::kPeer, fmt::format("{} tells of a stop in an unknown way: '{}'",
                                                  name_, packet.substr(0, 60)));
      }
      stops_.push_back(*stop);
    }
    return packet;
  }
}

}  // namespace ktstr

// Speaks with QEMU's gdbstub (-gdb), in the GDB remote serial protocol ("Remote Protocol" in the
// manual of GDB): break- and watchpoints that stop the whole machine at one instruction.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "capture/system/deadline.h"
#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// Why the machine stands.
struct GdbStop {
  enum class Reason : uint8_t {
    kBreakpoint,  // or a step is done; the instruction there has not been executed
    kWatchpoint,  // the instruction that wrote has been executed
    kPaused,      // somebody stopped the machine: this client, QMP, …
    kOther,       // such as the guest's shutdown
  };
  Reason reason = Reason::kOther;
  // The CPU that hit it, from 0. Of a machine that was paused it tells nothing.
  int cpu = 0;
  std::optional<Kva> address;  // what was written, for kWatchpoint
  int signal = 0;              // GDB's number
};

// How an instruction is watched.
enum class BreakpointKind : uint8_t {
  // By QEMU's own means: TCG has as many as one likes, KVM the four debug registers of the
  // processor, which watchpoints need as well. The guest's memory stays as it is.
  kHardware,
  // With KVM, by a breakpoint instruction (int3) in the guest's text: whoever reads that memory
  // sees it. As many as one likes.
  kSoftware,
};

// One session. Every call but WaitForStop stops a machine that runs. Not for use by several threads
// at once.
//
// QEMU (7.2) tells its client of every stop, QMP's too, and takes a command from a machine that
// stands only. Break- and watchpoints outlive the session unless it is ended by Detach.
class GdbStub {
 public:
  // Connects to a socket in the file system (-gdb unix:SOCKET,server=on,wait=off) and stops the
  // machine. Errors: kIo when there is no such socket or nobody listens, kPeer when what answers is
  // no gdbstub, kTimeout when nothing answers. `timeout` holds for each later command, too.
  static Result<std::unique_ptr<GdbStub>> Connect(
      const std::string& socket, std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // The same on a socket that is already connected (-chardev socket,id=gdb,fd=N -gdb chardev:gdb);
  // `name` is how messages call the peer.
  static Result<std::unique_ptr<GdbStub>> Open(UniqueFd socket, std::string name,
                                               std::chrono::milliseconds timeout);

  // Errors of all of these: kPeer when QEMU refuses or went away, kTimeout, kIo.

  // Stops the machine.
  Status Halt();
  // A breakpoint at an instruction's first byte. A CPU that stands at one hits it again when it
  // goes on: remove it before, or Step over it.
  Status SetBreakpoint(Kva address, BreakpointKind kind = BreakpointKind::kHardware);
  Status RemoveBreakpoint(Kva address, BreakpointKind kind = BreakpointKind::kHardware);
  // Stops behind the instruction that wrote to any of `length` bytes.
  Status SetWriteWatchpoint(Kva address, uint64_t length);
  Status RemoveWriteWatchpoint(Kva address, uint64_t length);
  // The CPU (from 0) by whose page tables the places of software breakpoints are found. With
  // page-table isolation one in user mode does not lead to the kernel.
  Status SelectCpu(int cpu);
  // Lets the machine go on, also after a freeze (freeze.h) of it. Stops that have not been taken
  // are forgotten.
  Status Continue();
  // Lets one CPU execute one instruction, without interrupts; yields the stop behind it.
  Result<GdbStop> Step(int cpu);
  // Removes all break- and watchpoints, lets the machine go on, and ends the session.
  Status Detach();

  // The oldest stop since Continue that has not been taken yet, waited for if need be. Errors:
  // kTimeout (the machine runs still), kPeer, kIo.
  Result<GdbStop> WaitForStop(Deadline deadline);

  // For waiting on this and other things at once with poll(2): readable when something arrived.
  int fd() const { return fd_.get(); }

 private:
  GdbStub(UniqueFd fd, std::string name, std::chrono::milliseconds timeout)
      : fd_(std::move(fd)), name_(std::move(name)), timeout_(timeout) {}

  Status Send(std::string_view packet, Deadline deadline);
  Result<std::string> Receive(Deadline deadline);
  Result<std::string> Ask(std::string_view packet);
  Status Command(std::string_view packet, std::string_view what);
  Status Fill(Deadline deadline);
  Status AwaitEvent(short events, Deadline deadline);

  UniqueFd fd_;
  std::string name_;
  std::chrono::milliseconds timeout_;
  std::string received_;
  std::deque<GdbStop> stops_;
};

}  // namespace ktstr

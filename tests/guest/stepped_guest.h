// A guest of a test's that stops at single instructions, and what its kernel looks like there.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/boot/guest_machine.h"
#include "capture/live_memory.h"
#include "capture/qemu/gdb_stub.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/stack/stack.h"

namespace ktstr {

class SteppedGuest {
 public:
  // Boots with these options and our gdbstub; the guest runs.
  static Result<std::unique_ptr<SteppedGuest>> Boot(MachineOptions options);

  // The stack that a CPU is on, down to its end.
  struct Stack {
    Kva ip, sp;
    std::vector<StackFrameRow> frames;
    std::string reason;  // why it ends
    std::string ToString() const;
  };
  // Of a machine that stands.
  Result<Stack> StackOf(int cpu);
  // The kernel of a machine that stands, valid until it goes on.
  Result<std::unique_ptr<GuestKernel>> OpenKernel();

  GuestMachine& machine() { return *machine_; }
  GdbStub& gdb() { return *gdb_; }

 private:
  synthetic::TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  std::unique_ptr<GdbStub> gdb_;
  std::unique_ptr<LiveMemory> memory_;
};

}  // namespace ktstr

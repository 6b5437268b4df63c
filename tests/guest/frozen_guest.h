// A guest of a test's, frozen, whose kernel can be read both ways: out of the memory of the QEMU
// process and out of the archive that was made of it.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <vector>

#include "capture/boot/guest_machine.h"
#include "capture/capture.h"
#include "capture/freeze.h"
#include "capture/live_memory.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "replay/frozen_machine.h"

namespace ktstr {

class FrozenGuest {
 public:
  // Freezes the machine, for good, and writes its archive to `output`: all of its pages, or the
  // kernel's.
  static Result<std::unique_ptr<FrozenGuest>> Freeze(GuestMachine& machine,
                                                     const std::filesystem::path& output,
                                                     Keep keep = Keep::kAll);

  const GuestKernel& live() const { return *live_; }
  const GuestKernel& kept() const { return *kept_; }

 private:
  FrozenGuest() = default;

  std::unique_ptr<LiveMemory> memory_;
  std::unique_ptr<GuestKernel> live_;
  std::unique_ptr<FrozenMachine> archive_;
  const GuestKernel* kept_ = nullptr;
};

// A test's failure for each of the anomalies.
void ExpectNoAnomalies(std::initializer_list<const std::vector<AnomalyRow>*> walks);

}  // namespace ktstr

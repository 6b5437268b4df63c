// The archives that a test keeps.
#pragma once

#include <filesystem>
#include <string>

#include "capture/boot/guest_machine.h"
#include "capture/capture.h"
#include "capture/run/fired.h"
#include "capture/run/monitor.h"
#include "capture/run/test_run.h"

namespace ktstr {

// What an archive says of the test that keeps it.
struct KeptState {
  const Scenario& scenario;
  const TestOptions& options;
  const Interrupt& interrupt;
  GuestMachine& machine;
  Monitor& monitor;
  const std::string& phase;
};

// How the machine is captured to `file`, with tags that say where in its test it was, and why.
CaptureOptions CaptureOptionsFor(const KeptState& state, const Fired& fired,
                                 const std::filesystem::path& file);

// Removes what an earlier run left of a test (`base` is its archives' name without suffix), so that
// what stands in `out` afterwards is of this one.
void RemoveArchivesOf(const std::filesystem::path& out, const std::string& base);

}  // namespace ktstr

// The whole of a capture: freeze a machine, read everything, write the archive, let it go on.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "capture/freeze.h"
#include "capture/live_memory.h"
#include "capture/qemu/qmp_client.h"
#include "libcore/archive/writer.h"
#include "libcore/base/result.h"

namespace ktstr {

enum class AfterCapture : uint8_t {
  kResume,  // the guest goes on, if it ran before
  kQuit,    // QEMU is asked to end
};

// What of the guest's memory an archive holds.
enum class Keep : uint8_t {
  kAll,     // every page
  kKernel,  // not those that are free, hold file contents or belong to user space
};

struct CaptureOptions {
  std::string output;
  // kKernel needs a kernel that tells which pages are its own; else everything is kept, with a
  // warning.
  Keep keep = Keep::kAll;
  bool overwrite = false;
  AfterCapture then = AfterCapture::kResume;
  std::string captured_by = "ktstr-capture";  // the program; its version is added
  std::string trigger = "manual";
  std::string trigger_detail;
  std::map<std::string, std::string> tags;
  std::string parent_digest = {};  // of the archive that the machine was woken from, if it was
  // Breakpoints that a debugger has put into the guest's text: the archive holds what was there
  // before.
  std::vector<PlantedByte> planted = {};
  // QEMU's process; 0: the one that owns the other end of the QMP socket.
  pid_t pid = 0;
  // Called now and then while the guest's memory is written: pages done, pages in all.
  std::function<void(uint64_t, uint64_t)> progress = nullptr;
  // 19 makes a smaller file, and a guest that stands still wait for longer.
  int compression_level = kKernelPagesLevel;
  // As ArchiveWriteOptions::accept: whether the whole archive is wanted.
  std::function<Result<bool>(const std::string&)> accept = nullptr;
  const std::atomic<bool>* cancel = nullptr;  // set to true to stop: the guest goes on, an error
};

struct CaptureSummary {
  ArchiveWriteSummary archive;
  std::string kernel_release;              // empty when the kernel could not be found
  std::string kernels;                     // which there are in memory; empty for one alone
  std::chrono::microseconds frozen_for{};  // how long the guest stood still for it
  std::vector<std::string> warnings;       // what the archive lacks, and why
};

// Whether the archive could be written under its name as things stand: kExists when not. For asking
// before anything costly is done.
Status CheckOutput(const std::string& output, bool overwrite);

// Errors: kExists (and no overwrite), kPeer (QEMU refuses or dies), kTimeout, kIo (disk full,
// cancelled, …). On any error nothing new stands under options.output, and the guest goes on if it
// ran before.
Result<CaptureSummary> Capture(QmpClient& qmp, const CaptureOptions& options);

// The same for a machine that is frozen already, and stays so: `options.then` does not matter.
Result<CaptureSummary> CaptureFrozen(Frozen& frozen, const CaptureOptions& options);

}  // namespace ktstr

// The machine that the program runs on, kept as well as that can be done while it runs: the
// kernel's pages alone, each of another moment.
#pragma once

#include "capture/capture.h"
#include "libcore/base/result.h"
#include "libcore/host/host_memory.h"

namespace ktstr {

// Of `options`, what is QEMU's does not matter, and `keep` is kKernel. CaptureSummary::frozen_for
// is how long memory was read; the machine ran on all the while.
// A machine that is ill is not made worse: for copies of pages it takes a sixteenth of the memory
// that programs can still have, at most 256 MiB, and 96 MiB more, and it ends with kIo before less
// than a twentieth of the output's file system, or 256 MiB, is left.
// Errors: those of HostMemory::Open, GuestKernel::Open and AllClasses::Read (a kernel that does not
// tell its pages from those of programs is not captured); kExists, kIo (disk full, cancelled).
Result<CaptureSummary> CaptureHost(const CaptureOptions& options, const HostFiles& files = {});

}  // namespace ktstr

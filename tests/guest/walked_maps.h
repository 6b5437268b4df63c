// The BPF maps of a frozen guest of a test's.
#pragma once

#include "frozen_guest.h"
#include "libcore/walk/bpf/map.h"

namespace ktstr {

// Those of the archive, which are the same as those of the memory, without an anomaly. Fails the
// test where they are not.
void WalkMaps(const FrozenGuest& guest, BpfMaps* maps);

}  // namespace ktstr

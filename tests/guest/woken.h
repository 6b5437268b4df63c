// What tests of woken machines share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>

#include "capture/freeze.h"
#include "capture/live_memory.h"
#include "capture/qemu/device_state.h"
#include "capture/qemu/qmp_client.h"
#include "libcore/qemu/vcpu_state.h"
#include "guest_tests.h"
#include "replay/frozen_machine.h"

namespace ktstr {

// The pages in which KVM tells its guests the time, and writes anew as it is told where they are.
// None on a kernel that does not know KVM. Source: arch/x86/kernel/kvmclock.c.
inline std::set<Pfn> WrittenByKvm(FrozenMachine& machine) {
  std::set<Pfn> pages;
  const auto kernel = machine.Kernel();
  if (machine.archive().metadata().accelerator != "kvm" || !kernel) return pages;
  for (const char* variable : {"hv_clock_boot", "wall_clock"}) {
    const auto at = (*kernel)->symbol_kva(variable);
    if (at) pages.insert(Pfn::Of((*kernel)->text_kva_to_pa(*at)));
  }
  return pages;
}

// Whether a machine that was woken, and has not run, is what its archive says: each register of its
// CPUs, each page of its memory.
inline void ExpectTheSame(QmpClient& qmp, pid_t pid, const std::string& file) {
  const auto machine = FrozenMachine::Open(file);
  ASSERT_OK(machine);
  auto frozen = Frozen::Freeze(qmp);
  ASSERT_OK(frozen);
  const auto state = SaveDeviceState(*frozen);
  ASSERT_OK(state);
  const auto vcpus = ParseVcpus(**state);
  ASSERT_OK(vcpus);
  EXPECT_TRUE(std::ranges::equal(*vcpus, (*machine)->archive().vcpus()));

  auto map = FindRam(qmp, pid);
  ASSERT_OK(map);
  const auto live = LiveMemory::Map(*std::move(map));
  ASSERT_OK(live);
  const SnapshotMemory& kept = (*machine)->memory();
  EXPECT_TRUE(std::ranges::equal((*live)->regions(), kept.regions()));
  const std::set<Pfn> of_kvm = WrittenByKvm(**machine);
  for (const MemoryRegion& region : kept.regions()) {
    // What neither has touched is zero in both.
    for (Pfn pfn = region.begin;;) {
      pfn = std::min(kept.NextTouched(pfn), (*live)->NextTouched(pfn));
      if (pfn >= region.end) break;
      const PageView was = kept.View(pfn), is = (*live)->View(pfn);
      ASSERT_TRUE(was.readable() && is.readable());
      EXPECT_TRUE(of_kvm.contains(pfn) ||
                  std::memcmp(was.bytes().data(), is.bytes().data(), kPageSize) == 0)
          << "page " << pfn.value();
      if ((pfn = pfn + 1) == region.end) break;
    }
  }
}

}  // namespace ktstr

// Proves: whatever a guest's page tables say, of x86-64 and of aarch64, translating an address ends
// and reads no memory that is not the guest's.
#include <algorithm>

#include "fixtures/synthetic/buffer_memory.h"
#include "fuzz.h"
#include "libcore/paging/address_space.h"
#include "libcore/paging/arm64_tables.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  constexpr uint64_t kPages = 16;
  FuzzedDataProvider input(data, size);
  std::vector<uint64_t> addresses(4);
  for (uint64_t& address : addresses) address = input.ConsumeIntegral<uint64_t>();
  const Pa root(input.ConsumeIntegralInRange<uint64_t>(0, kPages) * kPageSize);
  const PagingMode mode = input.ConsumeBool() ? PagingMode::kFiveLevel : PagingMode::kFourLevel;
  const auto tcr = input.ConsumeIntegral<uint64_t>();

  // Words at places of the input's, for a whole page of anything is more than it has.
  synthetic::BufferMemory memory(kPages * kPageSize);
  while (input.remaining_bytes() > 0) {
    const Pa at(input.ConsumeIntegralInRange<uint64_t>(0, kPages * 512 - 1) * 8);
    memory.Put<uint64_t>(at, input.ConsumeIntegral<uint64_t>());
  }
  const AddressSpace space(memory, root, mode);
  std::array<std::byte, 64> bytes;
  for (const uint64_t address : addresses) {
    const auto cached = space.Translate(Kva(address));
    const auto walked = space.Walk(Kva(address));
    fuzz::Require(cached.has_value() == walked.has_value(),
                  "cache and walk agree on what is mapped");
    fuzz::Require(!cached || *cached == walked->pa, "cache and walk agree on where it is");
    (void)space.Read(Kva(address), bytes);
    (void)space.FirstMapped(Kva(address), Kva(address | 0x3fffffff));
  }
  if (const auto arm = Arm64Paging::FromTcr(tcr)) {
    const Arm64AddressSpace arm_space(memory, root, *arm, {Kva(0xffff000000000000), Pa(0)});
    for (const uint64_t address : addresses) (void)arm_space.Translate(Kva(address));
  }
  return 0;
}

#include "libcore/ops/address_check.h"

#include <fmt/format.h>

namespace ktstr {

namespace {

constexpr OpLayer kAddressLayer = OpLayer::kAddress;

bool Overflows(Kva begin, uint64_t size) { return begin + size < begin; }

}  // namespace

OpStatus CheckDirect(Kva kva, uint64_t size, Kva page_offset, uint64_t ram_size) {
  if (kva < page_offset) {
    return Refuse(
        OpErrorCode::kBelowDirectMap, kAddressLayer,
        fmt::format("below the direct map, which begins at page_offset {:#x}; vmalloc and "
                    "vmemmap addresses are for Kva",
                    page_offset.value()));
  }
  if (Overflows(page_offset, ram_size)) {
    return Refuse(OpErrorCode::kAddressOverflow, kAddressLayer,
                  fmt::format("page_offset {:#x} + {:#x} bytes of RAM exceeds 64 bits",
                              page_offset.value(), ram_size));
  }
  if (Overflows(kva, size)) {
    return Refuse(OpErrorCode::kAddressOverflow, kAddressLayer,
                  fmt::format("the address + {} bytes exceeds 64 bits", size));
  }
  const Kva end = page_offset + ram_size;
  if (kva + size > end) {
    return Refuse(OpErrorCode::kBeyondDirectMap, kAddressLayer,
                  fmt::format("{} bytes end beyond the direct map's end {:#x}", size, end.value()));
  }
  return {};
}

OpStatus CheckKva(Kva kva, uint64_t size) {
  if (kva < kKernelHalf) {
    return Refuse(OpErrorCode::kBelowKernelHalf, kAddressLayer,
                  fmt::format("below the kernel's half, which begins at {:#x}; give an address of "
                              "the kernel's, or a Symbol",
                              kKernelHalf.value()));
  }
  if (Overflows(kva, size)) {
    return Refuse(OpErrorCode::kAddressOverflow, kAddressLayer,
                  fmt::format("the address + {} bytes exceeds 64 bits", size));
  }
  return {};
}

}  // namespace ktstr

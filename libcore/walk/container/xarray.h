// The kernel's XArrays, radix trees and IDRs (include/linux/xarray.h), walked safely.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

struct XarrayEntry {
  uint64_t index;
  Kva entry;  // a pointer as stored, or a value entry (odd)
};

// The entries of the struct xarray (radix_tree_root; a struct idr begins with one) at `xarray`, in
// order of their index; internal entries (siblings, retry, zero) are none. A node that cannot be
// read, or whose place contradicts its parent's, costs its entries and is an anomaly. Ends with an
// anomaly "cap" after limits.max_nodes entries.
std::vector<XarrayEntry> WalkXarray(const Walk& walk, Kva xarray, std::string_view name);
// The same for the struct idr at `idr`: indices are ids.
std::vector<XarrayEntry> WalkIdr(const Walk& walk, Kva idr, std::string_view name);

}  // namespace ktstr

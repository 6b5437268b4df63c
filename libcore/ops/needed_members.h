// The members that an operation cannot do without, out of the lists that walkers have too
// (libcore/walk/members).
#pragma once

#include <string_view>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/ops/op_error.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// A list of members of the structure of that name, each needed one of which is there. Errors:
// kTypesUnavailable, kTypeUnknown, kFieldUnknown.
template <typename Members>
OpResult<Members> FindNeededMembers(const GuestKernel& kernel, std::string_view struct_name) {
  const auto types = kernel.types();
  if (!types) {
    return Refuse(OpErrorCode::kTypesUnavailable, OpLayer::kName, types.error().ToString());
  }
  const auto type = (*types)->FindStruct(struct_name);
  if (!type) return Refuse(OpErrorCode::kTypeUnknown, OpLayer::kName, type.error().ToString());
  Anomalies missing("ops");
  Members members(Walk{kernel, **types, missing});
  if (missing.rows().empty()) return members;
  return Refuse(OpErrorCode::kFieldUnknown, OpLayer::kName, missing.rows().front().detail);
}

}  // namespace ktstr

// Where an entry of a request leads.
#pragma once

#include <optional>

#include "libcore/base/address.h"
#include "libcore/image/type_info.h"

namespace ktstr {

struct Located {
  Kva kva;
  std::optional<Member> member;  // of fields: which one it is

  // A number that has fewer bits than `size` bytes: what else stands there is its neighbours'.
  bool IsNarrowerThan(uint64_t size) const {
    if (!member) return false;
    const bool number = member->kind == TypeKind::kInteger || member->kind == TypeKind::kEnum;
    return number && (member->is_bit_field() || member->size < size);
  }
};

}  // namespace ktstr

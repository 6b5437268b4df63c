// Members of one structure, by path, looked up in BTF once each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "libcore/image/type_info.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/ops/op_error.h"

namespace ktstr {

class MemberCache {
 public:
  // Errors: kTypesUnavailable, kTypeUnknown.
  static OpResult<MemberCache> Open(const GuestKernel& kernel, std::string_view struct_name);

  // Where the member is and how wide. Errors: kFieldUnknown (no such member, or no path).
  OpResult<Member> Find(const std::string& path);

 private:
  MemberCache(const TypeInfo& types, TypeId type) : types_(&types), type_(type) {}

  const TypeInfo* types_;
  TypeId type_;
  std::unordered_map<std::string, Member> known_;
};

}  // namespace ktstr

#include "libcore/ops/member_cache.h"

namespace ktstr {

namespace {
// Paths with indices are without number; more than these nobody asks for again and again.
constexpr size_t kMostMembers = 4096;
}  // namespace

OpResult<MemberCache> MemberCache::Open(const GuestKernel& kernel, std::string_view struct_name) {
  const auto types = kernel.types();
  if (!types) {
    return Refuse(OpErrorCode::kTypesUnavailable, OpLayer::kName, types.error().ToString());
  }
  const auto type = (*types)->FindStruct(struct_name);
  if (!type) return Refuse(OpErrorCode::kTypeUnknown, OpLayer::kName, type.error().ToString());
  return MemberCache(**types, *type);
}

OpResult<Member> MemberCache::Find(const std::string& path) {
  const auto known = known_.find(path);
  if (known != known_.end()) return known->second;
  const auto member = types_->FindMember(type_, path);
  if (!member) return Refuse(OpErrorCode::kFieldUnknown, OpLayer::kName, member.error().ToString());
  if (known_.size() >= kMostMembers) known_.clear();
  known_.emplace(path, *member);
  return *member;
}

}  // namespace ktstr

#include "libcore/walk/value/value_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "libcore/base/nearest_word.h"
#include "libcore/image/type_text.h"

namespace ktstr {

namespace {

// Anonymous structures in each other; a damaged BTF that contains itself goes deeper.
constexpr int kMaxDepth = 8;
constexpr size_t kMaxNames = 10'000;

void CollectNames(const TypeInfo& types, TypeId composite, int depth,
                  std::vector<std::string_view>& names) {
  for (const NamedMember& named : types.MembersOf(composite)) {
    if (names.size() >= kMaxNames) return;
    if (!named.name.empty()) {
      names.push_back(named.name);
    } else if (depth < kMaxDepth) {
      CollectNames(types, named.member.type, depth + 1, names);
    }
  }
}

bool IsComposite(TypeKind kind) { return kind == TypeKind::kStruct || kind == TypeKind::kUnion; }

// A value of that type, whose size is not asked yet.
Member Unplaced(const TypeInfo& types, TypeId type) {
  Member member;
  member.type = type;
  member.kind = types.KindOf(type);
  member.size = types.SizeOf(type).value_or(0);
  member.is_signed = types.IsSigned(type);
  return member;
}

// Goes along a path, one step after the other. Without a kernel there are no pointers to follow.
class PathFollower {
 public:
  PathFollower(const GuestKernel* kernel, const TypeInfo& types, TypedPlace from,
               std::string_view path, const PointerSpace* pointers)
      : kernel_(kernel),
        types_(types),
        place_(from),
        path_(path),
        rest_(path),
        pointers_(pointers) {}

  Result<TypedPlace> Follow() {
    if (rest_.empty()) return place_;
    KTSTR_TRY(Enter(TakeName()));
    while (!rest_.empty()) KTSTR_TRY(Step());
    return place_;
  }

 private:
  Status Step() {
    if (Take("->")) {
      KTSTR_TRY(Dereference());
      return Enter(TakeName());
    }
    if (Take(".")) return Enter(TakeName());
    if (!Take("[")) return Malformed();
    uint64_t index;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), index);
    if (error != std::errc()) return Malformed();
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return Take("]") ? Element(index) : Malformed();
  }

  bool Take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  std::string_view TakeName() {
    const std::string_view name = rest_.substr(0, rest_.find_first_of(".-["));
    rest_.remove_prefix(name.size());
    return name;
  }

  Status Enter(std::string_view name) {
    if (name.empty()) return Malformed();
    const TypeId composite = types_.Strip(place_.member.type);
    const TypeKind kind = types_.KindOf(composite);
    if (kind == TypeKind::kPointer) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}': what stands before '{}' is a pointer: write '->{}'", path_,
                              name, name));
    }
    if (!IsComposite(kind)) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}': what stands before '{}' is of type {} and has no members",
                              path_, name, TypeText(types_, place_.member.type)));
    }
    auto member = types_.FindMember(composite, name);
    if (!member) return NoMember(composite, name);
    member->offset += place_.member.offset;
    place_.member = *member;
    return {};
  }

  tl::unexpected<Error> NoMember(TypeId composite, std::string_view name) const {
    std::vector<std::string_view> names;
    CollectNames(types_, composite, 0, names);
    return Fail(ErrorCode::kNotFound,
                UnknownWord("member of " + TypeText(types_, composite) + ":", name, names));
  }

  // To what the pointer here points to, which may have no size.
  Status Dereference() {
    if (place_.member.kind != TypeKind::kPointer) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}': what stands before '->' is no pointer but of type {}", path_,
                              TypeText(types_, place_.member.type)));
    }
    if (kernel_ == nullptr) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' leaves the structure through a pointer", path_));
    }
    auto target = kernel_->Read<Kva>(place_.kva());
    if (target && pointers_ != nullptr && !target->is_null()) target = pointers_->Resolve(*target);
    if (!target) {
      return Fail(Error(target.error()).Wrap(fmt::format("a pointer of '{}'", path_)));
    }
    if (target->is_null()) {
      return Fail(ErrorCode::kUnmapped, fmt::format("'{}' goes through a null pointer at {:#x}",
                                                    path_, place_.kva().value()));
    }
    place_ = {*target, Unplaced(types_, types_.Target(place_.member.type))};
    return {};
  }

  Status Element(uint64_t index) {
    if (place_.member.kind == TypeKind::kPointer) {
      KTSTR_TRY(Dereference());
    } else if (place_.member.kind == TypeKind::kArray) {
      // An array of no declared length (a flexible one) has no end to check against.
      const uint64_t count = types_.ElementCount(place_.member.type);
      if (count != 0 && index >= count) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("'{}': index {} is outside the array of {}", path_, index, count));
      }
      const uint64_t offset = place_.member.offset;
      place_.member = Unplaced(types_, types_.Target(place_.member.type));
      place_.member.offset = offset;
    } else {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}': [{}] stands behind what is of type {}", path_, index,
                              TypeText(types_, place_.member.type)));
    }
    place_.member.size = KTSTR_TRY(types_.SizeOf(place_.member.type));
    place_.member.offset += index * place_.member.size;
    return {};
  }

  tl::unexpected<Error> Malformed() const {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no path such as a.b[2]->c", path_));
  }

  const GuestKernel* kernel_;
  const TypeInfo& types_;
  TypedPlace place_;
  std::string_view path_, rest_;
  const PointerSpace* pointers_;
};

}  // namespace

Result<TypedPlace> WholeObject(const TypeInfo& types, TypeId type, Kva kva) {
  TypedPlace whole{kva, Unplaced(types, type)};
  whole.member.size = KTSTR_TRY(types.SizeOf(type));
  return whole;
}

Result<TypedPlace> FindPlace(const GuestKernel& kernel, const TypeInfo& types, TypeId root, Kva kva,
                             std::string_view path, const PointerSpace* pointers) {
  if (pointers != nullptr) kva = KTSTR_TRY(pointers->Resolve(kva));
  const TypedPlace whole = KTSTR_TRY(WholeObject(types, root, kva));
  return PathFollower(&kernel, types, whole, path, pointers).Follow();
}

Result<uint64_t> FindOffset(const TypeInfo& types, TypeId root, std::string_view path) {
  const TypedPlace whole = KTSTR_TRY(WholeObject(types, root, Kva()));
  return KTSTR_TRY(PathFollower(nullptr, types, whole, path, nullptr).Follow()).member.offset;
}

Result<TypeId> FindTypeOrNearest(const TypeInfo& types, std::string_view name) {
  const auto found = types.FindType(name);
  if (found) return *found;
  std::vector<std::string_view> names = types.TypeNames();
  std::sort(names.begin(), names.end());
  return Fail(ErrorCode::kNotFound, UnknownWord("type", name, names));
}

}  // namespace ktstr

#include "libcore/walk/value/struct_rows.h"

#include <fmt/format.h>

#include "libcore/image/type_text.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

namespace {

// No C type is nested deeper; a damaged BTF that contains itself is.
constexpr int kMaxNesting = 32;

class Flattener {
 public:
  Flattener(const Walk& walk, const TypedPlace& whole) : walk_(walk), whole_(whole) {}

  // The members of `composite`, `offset` bytes into the whole.
  void AddMembers(TypeId composite, uint64_t offset, const std::string& prefix, int depth) {
    // Structures count, too: a damaged BTF nests them without end and without any other member.
    ++structures_;
    if (AtCap(whole_.kva())) return;
    for (const NamedMember& named : walk_.types.MembersOf(composite)) {
      if (capped_) return;
      Member member = named.member;
      member.offset += offset;
      const std::string name = prefix + std::string(named.name);
      const bool is_composite = member.kind == TypeKind::kStruct || member.kind == TypeKind::kUnion;
      if (is_composite) {
        if (depth >= kMaxNesting) continue;
        AddMembers(member.type, member.offset, named.name.empty() ? prefix : name + ".", depth + 1);
      } else if (!named.name.empty()) {
        AddRow(name, member);
      }
    }
  }

  std::vector<StructRow> Take() && { return std::move(rows_); }

 private:
  bool AtCap(Kva kva) {
    if (!capped_ && rows_.size() + structures_ > walk_.limits.max_nodes) {
      walk_.anomalies.Add("cap", kva, fmt::format("stopped after {} members", rows_.size()));
      capped_ = true;
    }
    if (!capped_ && walk_.limits.IsStopped()) {
      walk_.anomalies.AddStopped(kva, "struct_rows");
      capped_ = true;
    }
    return capped_;
  }

  void AddRow(const std::string& name, const Member& member) {
    TypedPlace place{whole_.base, member};
    place.base += whole_.member.offset;
    if (AtCap(place.kva())) return;
    auto value = ReadValue(walk_.kernel, walk_.types, place);
    if (!value) walk_.anomalies.Add(value.error(), place.kva(), name);
    rows_.push_back({name, TypeText(walk_.types, member.type), static_cast<int64_t>(member.offset),
                     static_cast<int64_t>(member.size), value ? *std::move(value) : Value()});
  }

  Walk walk_;
  const TypedPlace& whole_;
  std::vector<StructRow> rows_;
  size_t structures_ = 0;
  bool capped_ = false;
};

}  // namespace

Result<Walked<StructRow>> ReadStructRows(const GuestKernel& kernel, const TypeInfo& types,
                                         const TypedPlace& place, const WalkLimits& limits) {
  const TypeId composite = types.Strip(place.member.type);
  const TypeKind kind = types.KindOf(composite);
  if (kind != TypeKind::kStruct && kind != TypeKind::kUnion) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is no structure", TypeText(types, place.member.type)));
  }
  Anomalies anomalies("struct_rows");
  Flattener flattener({kernel, types, anomalies, limits}, place);
  flattener.AddMembers(composite, 0, "", 0);
  return Walked<StructRow>{std::move(flattener).Take(), std::move(anomalies).Take()};
}

}  // namespace ktstr

#include "libcore/image/type_info.h"

#include <bpf/btf.h>
#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <optional>

#include "libcore/image/btf.h"

namespace ktstr {

namespace {

// Deeper nesting of typedefs, qualifiers or anonymous members than any compiler emits: a damaged
// BTF that refers to itself ends here.
constexpr int kMaxDepth = 32;
// Nor does a structure have more anonymous members, at all depths together.
constexpr size_t kMaxAnonymous = 4096;

bool IsComposite(const btf_type* type) { return btf_is_struct(type) || btf_is_union(type); }

// One component of a path: a member's name and the indices behind it.
struct Component {
  std::string_view name;
  std::vector<uint64_t> indices;
};

Result<Component> ParseComponent(std::string_view text, std::string_view path) {
  const auto malformed = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is not a member path (name.name[index]…)", path));
  };
  Component component;
  const size_t bracket = std::min(text.find('['), text.size());
  component.name = text.substr(0, bracket);
  if (component.name.empty()) return malformed();
  for (text.remove_prefix(bracket); !text.empty();) {
    const size_t close = text.find(']');
    if (text.front() != '[' || close == std::string_view::npos) return malformed();
    uint64_t index;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + close, index);
    if (error != std::errc() || end != text.data() + close) return malformed();
    component.indices.push_back(index);
    text.remove_prefix(close + 1);
  }
  return component;
}

}  // namespace

TypeInfo::TypeInfo(Btf btf) : btf_(std::make_unique<const Btf>(std::move(btf))) {}
TypeInfo::~TypeInfo() = default;
TypeInfo::TypeInfo(TypeInfo&&) noexcept = default;
TypeInfo& TypeInfo::operator=(TypeInfo&&) noexcept = default;

namespace {

Result<Btf> ParseCopy(std::span<const std::byte> raw, const Btf* base) {
  const auto copy = std::make_shared<const std::vector<std::byte>>(raw.begin(), raw.end());
  return Btf::Parse(*copy, copy, base);
}

}  // namespace

Result<TypeInfo> TypeInfo::Parse(std::span<const std::byte> raw) {
  return TypeInfo(KTSTR_TRY(ParseCopy(raw, nullptr)));
}

Result<TypeInfo> TypeInfo::Parse(std::vector<std::byte> raw) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(raw));
  return TypeInfo(KTSTR_TRY(Btf::Parse(*owner, owner)));
}

Result<TypeInfo> TypeInfo::ParseSplit(std::span<const std::byte> raw, const TypeInfo& base) {
  return TypeInfo(KTSTR_TRY(ParseCopy(raw, base.btf_.get())));
}

const btf_type* TypeInfo::At(TypeId id) const { return btf_->TypeAt(static_cast<uint32_t>(id)); }

std::string_view TypeInfo::NameOf(TypeId type) const {
  return btf_->NameOf(static_cast<uint32_t>(type));
}

size_t TypeInfo::type_count() const { return btf_->type_count(); }

Result<TypeId> TypeInfo::FindStruct(std::string_view name) const {
  const auto found = btf_->Find(Btf::Names::kStructs, name);
  if (found) return TypeId{*found};
  return Fail(ErrorCode::kNotFound, fmt::format("the kernel's BTF has no 'struct {}'", name));
}

Result<TypeId> TypeInfo::FindVariable(std::string_view name) const {
  const auto found = btf_->Find(Btf::Names::kVariables, name);
  const btf_type* variable = found ? btf_->TypeAt(*found) : nullptr;
  if (variable != nullptr && btf_is_var(variable)) return TypeId{variable->type};
  return Fail(ErrorCode::kNotFound, fmt::format("the BTF has no variable '{}'", name));
}

Result<TypeId> TypeInfo::FindType(std::string_view name) const {
  std::string_view bare = name;
  for (const std::string_view keyword : {"struct ", "union "}) {
    if (name.starts_with(keyword)) return FindStruct(name.substr(keyword.size()));
  }
  if (bare.starts_with("enum ")) bare.remove_prefix(5);
  for (const Btf::Names names : {Btf::Names::kOthers, Btf::Names::kStructs}) {
    if (const auto found = btf_->Find(names, bare)) return TypeId{*found};
  }
  return Fail(ErrorCode::kNotFound, fmt::format("the kernel's BTF has no type '{}'", name));
}

Result<TypeId> TypeInfo::FindSection(const std::string& name) const {
  const auto found = btf_->Find(Btf::Names::kVariables, name);
  const btf_type* section = found ? btf_->TypeAt(*found) : nullptr;
  if (section != nullptr && btf_is_datasec(section)) return TypeId{*found};
  return Fail(ErrorCode::kNotFound, fmt::format("the BTF has no section '{}'", name));
}

Result<int64_t> TypeInfo::FindEnumerator(std::string_view name) const {
  const auto found = btf_->FindEnumerator(name);
  if (found) return EnumeratorAt(btf_->TypeAt(found->type), found->index).value;
  return Fail(ErrorCode::kNotFound, fmt::format("the kernel's BTF has no enumerator '{}'", name));
}

TypeId TypeInfo::Strip(TypeId type) const {
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const btf_type* t = At(type);
    if (t == nullptr || !(btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t))) return type;
    type = TypeId{t->type};
  }
  return TypeId{0};
}

TypeId TypeInfo::WithoutQualifiers(TypeId type) const {
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const btf_type* t = At(type);
    if (t == nullptr || !(btf_is_mod(t) || btf_is_type_tag(t)) || btf_is_typedef(t)) return type;
    type = TypeId{t->type};
  }
  return TypeId{0};
}

std::vector<std::string_view> TypeInfo::TypeNames() const { return btf_->TypeNames(); }

TypeKind TypeInfo::KindOf(TypeId type) const {
  const TypeId stripped = Strip(type);
  const btf_type* t = At(stripped);
  if (t == nullptr) return TypeKind::kOther;
  if (stripped == TypeId{0}) return TypeKind::kVoid;
  if (btf_is_int(t)) return TypeKind::kInteger;
  if (btf_is_float(t)) return TypeKind::kFloat;
  if (btf_is_ptr(t)) return TypeKind::kPointer;
  if (btf_is_array(t)) return TypeKind::kArray;
  if (btf_is_struct(t)) return TypeKind::kStruct;
  if (btf_is_union(t)) return TypeKind::kUnion;
  if (btf_is_any_enum(t)) return TypeKind::kEnum;
  if (btf_is_func_proto(t) || btf_is_func(t)) return TypeKind::kFunction;
  return TypeKind::kOther;
}

TypeId TypeInfo::Target(TypeId type) const {
  const btf_type* t = At(Strip(type));
  if (t == nullptr) return TypeId{0};
  if (btf_is_ptr(t)) return TypeId{t->type};
  if (btf_is_array(t)) return TypeId{btf_array(t)->type};
  return TypeId{0};
}

bool TypeInfo::IsSigned(TypeId type) const {
  const btf_type* t = At(Strip(type));
  if (t == nullptr) return false;
  if (btf_is_int(t)) return (btf_int_encoding(t) & BTF_INT_SIGNED) != 0;
  return btf_is_any_enum(t) && btf_kflag(t);
}

IntegerStyle TypeInfo::StyleOf(TypeId type) const {
  const TypeId stripped = Strip(type);
  const btf_type* t = At(stripped);
  if (t == nullptr || !btf_is_int(t)) return IntegerStyle::kNumber;
  if ((btf_int_encoding(t) & BTF_INT_BOOL) != 0) return IntegerStyle::kBoolean;
  // Compilers leave BTF_INT_CHAR out: a "char" is told by its name.
  const bool is_char =
      t->size == 1 && (NameOf(stripped) == "char" || (btf_int_encoding(t) & BTF_INT_CHAR) != 0);
  return is_char ? IntegerStyle::kCharacter : IntegerStyle::kNumber;
}

std::vector<NamedMember> TypeInfo::MembersOf(TypeId composite) const {
  std::vector<NamedMember> members;
  const btf_type* t = At(Strip(composite));
  if (t == nullptr || !IsComposite(t)) return members;
  for (uint32_t i = 0; i < btf_vlen(t); ++i) {
    const char* name = btf_->StringAt(btf_members(t)[i].name_off);
    members.push_back({name == nullptr ? "" : name, MemberAt(t, i, 0)});
  }
  return members;
}

std::vector<Enumerator> TypeInfo::EnumeratorsOf(TypeId enumeration) const {
  std::vector<Enumerator> values;
  const btf_type* t = At(Strip(enumeration));
  if (t == nullptr || !btf_is_any_enum(t)) return values;
  for (uint32_t i = 0; i < btf_vlen(t); ++i) values.push_back(EnumeratorAt(t, i));
  return values;
}

Enumerator TypeInfo::EnumeratorAt(const btf_type* type, uint32_t index) const {
  const bool wide = btf_is_enum64(type);
  const char* name =
      btf_->StringAt(wide ? btf_enum64(type)[index].name_off : btf_enum(type)[index].name_off);
  Enumerator found{name == nullptr ? "" : name, 0};
  if (wide) {
    found.value = static_cast<int64_t>(btf_enum64_value(&btf_enum64(type)[index]));
  } else {
    const int32_t value = btf_enum(type)[index].val;
    found.value = btf_kflag(type) ? value : static_cast<int64_t>(static_cast<uint32_t>(value));
  }
  return found;
}

std::vector<SectionVariable> TypeInfo::VariablesOf(TypeId section) const {
  std::vector<SectionVariable> variables;
  const btf_type* t = At(section);
  if (t == nullptr || !btf_is_datasec(t)) return variables;
  for (uint32_t i = 0; i < btf_vlen(t); ++i) {
    const btf_var_secinfo& info = btf_var_secinfos(t)[i];
    const btf_type* variable = At(TypeId{info.type});
    if (variable == nullptr || !btf_is_var(variable)) continue;
    variables.push_back({NameOf(TypeId{info.type}), info.offset, info.size, TypeId{variable->type},
                         TypeId{info.type}});
  }
  return variables;
}

std::vector<std::string_view> TypeInfo::TypeTagsOf(TypeId pointer) const {
  std::vector<std::string_view> tags;
  if (KindOf(pointer) != TypeKind::kPointer) return tags;
  TypeId type = Target(pointer);
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const btf_type* t = At(type);
    if (t == nullptr || !(btf_is_mod(t) || btf_is_type_tag(t)) || btf_is_typedef(t)) break;
    if (btf_is_type_tag(t)) tags.push_back(NameOf(type));
    type = TypeId{t->type};
  }
  return tags;
}

std::vector<std::string_view> TypeInfo::TagsOfVariable(TypeId variable) const {
  return TagsAt(static_cast<uint32_t>(variable), -1);
}

std::vector<std::string_view> TypeInfo::TagsOfMember(TypeId composite, size_t index) const {
  return TagsAt(static_cast<uint32_t>(Strip(composite)), static_cast<int32_t>(index));
}

std::vector<std::string_view> TypeInfo::TagsAt(uint32_t type, int32_t component) const {
  std::vector<std::string_view> tags;
  for (const uint32_t id : btf_->TagsOn(type, component)) tags.push_back(btf_->NameOf(id));
  return tags;
}

uint64_t TypeInfo::ElementCount(TypeId array) const {
  const btf_type* t = At(Strip(array));
  return t != nullptr && btf_is_array(t) ? btf_array(t)->nelems : 0;
}

Result<uint64_t> TypeInfo::SizeOf(TypeId type) const {
  const auto size = btf_->SizeOf(static_cast<uint32_t>(type));
  if (size) return *size;
  return Fail(ErrorCode::kNotFound, fmt::format("BTF type {} '{}' has no size",
                                                static_cast<uint32_t>(type), NameOf(type)));
}

Result<uint64_t> TypeInfo::SizeOf(std::string_view struct_name) const {
  return SizeOf(KTSTR_TRY(FindStruct(struct_name)));
}

namespace {

// A bit field that goes on beyond its unit, as a packed structure can have: the bytes that hold all
// of it. More than an integer's are damage, shown as the whole.
void ToBytes(uint64_t bits, Member* field) {
  field->offset = bits / 8;
  field->bit_offset = static_cast<uint32_t>(bits % 8);
  const uint64_t size = std::bit_ceil((field->bit_offset + field->bit_size + 7) / 8);
  if (size <= sizeof(uint64_t)) {
    field->size = size;
  } else {
    field->bit_offset = field->bit_size = 0;
  }
}

}  // namespace

Member TypeInfo::MemberAt(const btf_type* composite, uint32_t index, uint64_t base_bits) const {
  const uint64_t bits = base_bits + btf_member_bit_offset(composite, index);
  Member found;
  found.type = TypeId{btf_members(composite)[index].type};
  found.kind = KindOf(found.type);
  found.size = SizeOf(found.type).value_or(0);
  found.is_signed = IsSigned(found.type);
  found.bit_size = btf_member_bitfield_size(composite, index);
  // A bit field that is wider than an integer is none: damage, shown as the whole.
  if (found.bit_size == 0 || found.bit_size > found.size * 8 || found.size > sizeof(uint64_t)) {
    found.bit_size = 0;
    found.offset = bits / 8;
  } else {
    // The storage unit of the declared type that contains the first bit.
    const uint64_t unit_bits = found.size * 8;
    found.offset = bits / unit_bits * found.size;
    found.bit_offset = static_cast<uint32_t>(bits - found.offset * 8);
    if (found.bit_offset + found.bit_size > unit_bits) ToBytes(bits, &found);
  }
  return found;
}

// A member of that name in the structure itself or in anonymous members of it, breadth by depth.
Result<Member> TypeInfo::FindDirect(TypeId composite, std::string_view name) const {
  struct Pending {
    TypeId type;
    uint64_t bits;
    int depth;
  };
  std::vector<Pending> pending = {{composite, 0, 0}};
  for (size_t next = 0; next < pending.size(); ++next) {
    const auto [id, base_bits, depth] = pending[next];
    const btf_type* type = At(id);
    for (uint32_t i = 0; i < btf_vlen(type); ++i) {
      const btf_member& member = btf_members(type)[i];
      const TypeId member_type{member.type};
      const uint64_t bits = base_bits + btf_member_bit_offset(type, i);
      if (member.name_off == 0) {
        const TypeId inner = Strip(member_type);
        const btf_type* t = At(inner);
        if (t != nullptr && IsComposite(t) && depth < kMaxDepth && pending.size() < kMaxAnonymous) {
          pending.push_back({inner, bits, depth + 1});
        }
        continue;
      }
      const char* text = btf_->StringAt(member.name_off);
      if (text == nullptr || name != text) continue;

      return MemberAt(type, i, base_bits);
    }
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("the kernel's '{}' has no member '{}'", NameOf(composite), name));
}

Result<Member> TypeInfo::Element(Member array, uint64_t index, std::string_view path) const {
  const btf_type* type = At(Strip(array.type));
  if (type == nullptr || !btf_is_array(type)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' indexes what is not an array", path));
  }
  const struct btf_array* shape = btf_array(type);
  // An array of no declared length (a flexible one) has no end to check against.
  if (shape->nelems != 0 && index >= shape->nelems) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}': index {} is outside the array of {}", path, index, shape->nelems));
  }
  Member element;
  element.type = TypeId{shape->type};
  element.kind = KindOf(element.type);
  element.size = KTSTR_TRY(SizeOf(element.type));
  element.offset = array.offset + index * element.size;
  element.is_signed = IsSigned(element.type);
  return element;
}

Result<Member> TypeInfo::FindMember(TypeId root, std::string_view path) const {
  Member at;
  at.type = root;
  for (std::string_view rest = path;;) {
    const size_t dot = rest.find('.');
    const bool is_last = dot == std::string_view::npos;
    const Component component =
        KTSTR_TRY(ParseComponent(is_last ? rest : rest.substr(0, dot), path));
    const TypeId composite = Strip(at.type);
    const TypeKind kind = KindOf(composite);
    if (kind != TypeKind::kStruct && kind != TypeKind::kUnion) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}': what stands before '{}' is {}not a structure", path,
                              component.name, kind == TypeKind::kPointer ? "a pointer, " : ""));
    }
    Member member = KTSTR_TRY(FindDirect(composite, component.name));
    member.offset += at.offset;
    for (const uint64_t index : component.indices) member = KTSTR_TRY(Element(member, index, path));
    at = member;
    if (is_last) return at;
    rest.remove_prefix(dot + 1);
  }
}

Result<Member> TypeInfo::FindMember(std::string_view struct_name, std::string_view path) const {
  return FindMember(KTSTR_TRY(FindStruct(struct_name)), path);
}

}  // namespace ktstr

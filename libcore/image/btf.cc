#include "libcore/image/btf.h"

#include <bpf/btf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace ktstr {

namespace {

// What every version of a blob's header begins with; newer kernels' btf_header has more.
struct HeaderBegin {
  uint16_t magic;
  uint8_t version, flags;
  uint32_t hdr_len, type_off, type_len, str_off, str_len;  // in bytes
};
static_assert(sizeof(HeaderBegin) == 24);

constexpr size_t kTypeBytes = sizeof(btf_type);
static_assert(kTypeBytes == 12 && alignof(btf_type) == 4);
// Deeper nesting of typedefs, qualifiers or arrays than any compiler emits.
constexpr int kMaxSizeDepth = 32;
// BTF's numbers are 32 bits wide; no kernel's has a thousandth of that.
constexpr size_t kMaxBlob = size_t{1} << 30;

// What follows a type's first 12 bytes, in bytes; nothing for a kind that nobody knows.
std::optional<uint64_t> BytesBehind(const btf_type* type) {
  const uint64_t count = btf_vlen(type);
  switch (btf_kind(type)) {
    case BTF_KIND_PTR:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_FUNC:
    case BTF_KIND_FLOAT:
    case BTF_KIND_TYPE_TAG:
      return 0;
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
      return 4;
    case BTF_KIND_ARRAY:
      return sizeof(struct btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      return count * sizeof(btf_member);
    case BTF_KIND_ENUM:
      return count * sizeof(struct btf_enum);
    case BTF_KIND_ENUM64:
      return count * sizeof(struct btf_enum64);
    case BTF_KIND_FUNC_PROTO:
      return count * sizeof(btf_param);
    case BTF_KIND_DATASEC:
      return count * sizeof(btf_var_secinfo);
  }
  return std::nullopt;
}

Error NotBtf(std::span<const std::byte> raw, std::string_view why) {
  return Error(ErrorCode::kDamaged,
               fmt::format("{} bytes of BTF do not parse: {}", raw.size(), why));
}

struct OwnIndex {
  std::shared_ptr<const void> owner;
  std::vector<uint32_t> offsets;
  std::vector<NameSlot> structs, others, variables, enumerator_names;
  std::vector<BtfEnumerator> enumerators;
  std::vector<BtfTag> tags;

  BtfIndex Spans() const {
    return {offsets, structs, others, variables, enumerator_names, enumerators, tags};
  }
};

// Enters a name, unless it is there already.
template <typename NameAt>
void Enter(std::vector<NameSlot>& slots, std::string_view name, uint32_t number,
           const NameAt& name_at) {
  const uint64_t hash = NameHash(name);
  NameSlot* slot =
      FindNameSlot(std::span(slots), hash, [&](uint32_t other) { return name_at(other) == name; });
  if (slot->number == NameSlot::kEmpty) *slot = {number, static_cast<uint32_t>(hash >> 32)};
}

std::string_view EnumeratorName(const Btf& btf, const BtfEnumerator& enumerator) {
  const btf_type* type = btf.TypeAt(enumerator.type);
  if (type == nullptr || !btf_is_any_enum(type) || enumerator.index >= btf_vlen(type)) return {};
  const char* name =
      btf.StringAt(btf_is_enum64(type) ? btf_enum64(type)[enumerator.index].name_off
                                       : ::btf_enum(type)[enumerator.index].name_off);
  return name == nullptr ? std::string_view() : name;
}

// Which types and enumerators have names, in the order of their numbers.
struct Named {
  std::vector<uint32_t> structs, others, variables;
  std::vector<BtfEnumerator> enumerators;
};

Named FindNamed(const Btf& btf, uint32_t first, std::vector<BtfTag>* tags) {
  Named named;
  for (uint32_t id = first; id < btf.type_count(); ++id) {
    const btf_type* type = btf.TypeAt(id);
    if (btf_is_any_enum(type)) {
      for (uint32_t i = 0; i < btf_vlen(type); ++i) named.enumerators.push_back({id, i});
    }
    if (type->name_off == 0) continue;
    if (btf_is_decl_tag(type)) {
      tags->push_back({type->type, btf_decl_tag(type)->component_idx, id});
    } else if (btf_is_struct(type) || btf_is_union(type)) {
      named.structs.push_back(id);
    } else if (btf_is_int(type) || btf_is_typedef(type) || btf_is_any_enum(type) ||
               btf_is_float(type)) {
      named.others.push_back(id);
    } else if (btf_is_var(type) || btf_is_datasec(type)) {
      named.variables.push_back(id);
    }
  }
  return named;
}

void EnterAll(const Btf& btf, const std::vector<uint32_t>& ids, std::vector<NameSlot>& slots) {
  slots = EmptyNameSlots(ids.size());
  for (const uint32_t id : ids) {
    Enter(slots, btf.NameOf(id), id, [&](uint32_t other) { return btf.NameOf(other); });
  }
}

}  // namespace

Status Btf::ReadHeader() {
  HeaderBegin header;
  if (raw_.size() > kMaxBlob) return Fail(NotBtf(raw_, "more than any kernel has"));
  if (raw_.size() < sizeof header) return Fail(NotBtf(raw_, "too short for its header"));
  std::memcpy(&header, raw_.data(), sizeof header);
  if (header.magic != BTF_MAGIC || header.version != BTF_VERSION) {
    return Fail(NotBtf(raw_, "it does not begin as BTF of version 1 does"));
  }
  const uint64_t data = header.hdr_len, size = raw_.size();
  const uint64_t types = data + header.type_off, strings = data + header.str_off;
  if (header.hdr_len < sizeof header || data % 4 != 0 || header.type_off % 4 != 0 ||
      types + header.type_len > strings || strings + header.str_len > size) {
    return Fail(NotBtf(raw_, "its sections lie outside of it"));
  }
  types_ = raw_.subspan(types, header.type_len);
  strings_ = {reinterpret_cast<const char*>(raw_.data()) + strings, header.str_len};
  // Of a split one the base has the empty string.
  const bool begins = base_ != nullptr || strings_.starts_with('\0');
  if (!begins || (!strings_.empty() && !strings_.ends_with('\0'))) {
    return Fail(NotBtf(raw_, "its strings do not begin or end"));
  }
  return {};
}

Status Btf::FindTypes(std::vector<uint32_t>* offsets) const {
  offsets->reserve(types_.size() / 20);
  for (uint64_t at = 0; at < types_.size();) {
    const btf_type* type = OwnTypeAt(static_cast<uint32_t>(at));
    if (type == nullptr) {
      return Fail(NotBtf(raw_, fmt::format("type {} is of no known kind, or cut short",
                                           first_ + offsets->size())));
    }
    offsets->push_back(static_cast<uint32_t>(at));
    at += kTypeBytes + *BytesBehind(type);
  }
  return {};
}

Result<Btf> Btf::Parse(std::span<const std::byte> raw, std::shared_ptr<const void> owner,
                       const Btf* base) {
  Btf btf;
  btf.raw_ = raw;
  if (base != nullptr) {
    btf.base_ = base;
    btf.first_ = base->type_count();
    btf.first_string_ = base->first_string_ + static_cast<uint32_t>(base->strings_.size());
  }
  KTSTR_TRY(btf.ReadHeader());
  auto own = std::make_shared<OwnIndex>();
  own->owner = std::move(owner);
  KTSTR_TRY(btf.FindTypes(&own->offsets));
  btf.index_.offsets = own->offsets;
  Named named = FindNamed(btf, btf.first_, &own->tags);
  std::ranges::sort(own->tags);
  EnterAll(btf, named.structs, own->structs);
  EnterAll(btf, named.others, own->others);
  EnterAll(btf, named.variables, own->variables);
  own->enumerators = std::move(named.enumerators);
  own->enumerator_names = EmptyNameSlots(own->enumerators.size());
  const auto name_at = [&](uint32_t number) {
    return EnumeratorName(btf, own->enumerators[number]);
  };
  for (uint32_t i = 0; i < own->enumerators.size(); ++i)
    Enter(own->enumerator_names, name_at(i), i, name_at);
  btf.index_ = own->Spans();
  btf.owner_ = std::move(own);
  return btf;
}

Result<Btf> Btf::With(std::span<const std::byte> raw, const BtfIndex& index,
                      std::shared_ptr<const void> owner) {
  Btf btf;
  btf.raw_ = raw;
  KTSTR_TRY(btf.ReadHeader());
  btf.index_ = index;
  btf.owner_ = std::move(owner);
  return btf;
}

const btf_type* Btf::OwnTypeAt(uint32_t offset) const {
  if (offset % 4 != 0 || types_.size() < kTypeBytes || offset > types_.size() - kTypeBytes)
    return nullptr;
  const auto* type = reinterpret_cast<const btf_type*>(types_.data() + offset);
  const auto behind = BytesBehind(type);
  return behind && *behind <= types_.size() - kTypeBytes - offset ? type : nullptr;
}

const btf_type* Btf::TypeAt(uint32_t id) const {
  static constexpr btf_type kVoid{};
  if (id == 0) return &kVoid;
  if (id < first_) return base_ == nullptr ? nullptr : base_->TypeAt(id);
  return id - first_ < index_.offsets.size() ? OwnTypeAt(index_.offsets[id - first_]) : nullptr;
}

const char* Btf::StringAt(uint32_t offset) const {
  if (offset < first_string_) return base_->StringAt(offset);
  return offset - first_string_ < strings_.size() ? strings_.data() + (offset - first_string_)
                                                  : nullptr;
}

std::string_view Btf::NameOf(uint32_t id) const {
  const btf_type* type = TypeAt(id);
  const char* name = type == nullptr ? nullptr : StringAt(type->name_off);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

std::optional<uint32_t> Btf::Find(Names names, std::string_view name) const {
  if (base_ != nullptr) {
    if (const auto found = base_->Find(names, name)) return found;
  }
  const std::span<const NameSlot> slots = names == Names::kStructs  ? index_.structs
                                          : names == Names::kOthers ? index_.others
                                                                    : index_.variables;
  const NameSlot* slot =
      FindNameSlot(slots, NameHash(name), [&](uint32_t id) { return NameOf(id) == name; });
  if (slot == nullptr || slot->number == NameSlot::kEmpty) return std::nullopt;
  return slot->number;
}

std::vector<std::string_view> Btf::TypeNames() const {
  std::vector<std::string_view> names;
  if (base_ != nullptr) names = base_->TypeNames();
  for (const std::span<const NameSlot> slots : {index_.structs, index_.others}) {
    for (const NameSlot& slot : slots) {
      if (slot.number != NameSlot::kEmpty) names.push_back(NameOf(slot.number));
    }
  }
  return names;
}

std::optional<BtfEnumerator> Btf::FindEnumerator(std::string_view name) const {
  if (base_ != nullptr) {
    if (const auto found = base_->FindEnumerator(name)) return found;
  }
  const NameSlot* slot =
      FindNameSlot(index_.enumerator_names, NameHash(name), [&](uint32_t number) {
        return number < index_.enumerators.size() &&
               EnumeratorName(*this, index_.enumerators[number]) == name;
      });
  if (slot == nullptr || slot->number >= index_.enumerators.size()) return std::nullopt;
  return index_.enumerators[slot->number];
}

std::vector<uint32_t> Btf::TagsOn(uint32_t type, int32_t component) const {
  std::vector<uint32_t> ids;
  if (base_ != nullptr) ids = base_->TagsOn(type, component);
  auto tag = std::ranges::lower_bound(index_.tags, BtfTag{type, component, 0});
  for (; tag != index_.tags.end() && tag->type == type && tag->component == component; ++tag) {
    ids.push_back(tag->id);
  }
  return ids;
}

std::optional<uint64_t> Btf::SizeOf(uint32_t id) const {
  uint64_t elements = 1;
  const auto times = [&](uint64_t size) -> std::optional<uint64_t> {
    if (size != 0 && elements > UINT32_MAX / size) return std::nullopt;
    return elements * size;
  };
  for (int depth = 0; depth < kMaxSizeDepth; ++depth) {
    const btf_type* type = TypeAt(id);
    if (type == nullptr) return std::nullopt;
    switch (btf_kind(type)) {
      case BTF_KIND_INT:
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
      case BTF_KIND_DATASEC:
      case BTF_KIND_FLOAT:
        return times(type->size);
      case BTF_KIND_PTR:
        return times(sizeof(uint64_t));
      case BTF_KIND_TYPEDEF:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_CONST:
      case BTF_KIND_RESTRICT:
      case BTF_KIND_VAR:
      case BTF_KIND_DECL_TAG:
      case BTF_KIND_TYPE_TAG:
        id = type->type;
        break;
      case BTF_KIND_ARRAY: {
        const auto so_far = times(::btf_array(type)->nelems);
        if (!so_far) return std::nullopt;
        elements = *so_far;
        id = ::btf_array(type)->type;
        break;
      }
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace ktstr

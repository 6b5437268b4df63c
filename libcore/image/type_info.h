// TypeInfo: the kernel's types (BTF), out of guest memory or a vmlinux file; members by path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"

struct btf_type;

namespace ktstr {

class Btf;

// A type's number in its BTF. 0 is void.
enum class TypeId : uint32_t {};

// What a value of a type is, typedefs and qualifiers peeled off.
enum class TypeKind {
  kVoid,
  kInteger,
  kFloat,
  kPointer,
  kArray,
  kStruct,
  kUnion,
  kEnum,
  kFunction,
  kOther
};

// One member (or array element) of a structure, reached by a path.
struct Member {
  uint64_t offset = 0;      // from the structure's begin, in bytes
  uint64_t size = 0;        // in bytes; of a bit field: of the storage that holds it
  uint32_t bit_offset = 0;  // bit field: from the lowest bit of that storage
  uint32_t bit_size = 0;    // bit field: its width; 0 for every other member
  TypeId type = TypeId{0};  // as declared (typedefs kept)
  TypeKind kind = TypeKind::kOther;
  bool is_signed = false;  // of integers and enums

  bool is_bit_field() const { return bit_size != 0; }
};

// A member as declared; without a name when it is an anonymous struct or union.
struct NamedMember {
  std::string_view name;
  Member member;
};

struct Enumerator {
  std::string_view name;
  int64_t value;
};

// A variable of a data section (.bss, .data, …) of a BPF object.
struct SectionVariable {
  std::string_view name;
  uint64_t offset;  // from the section's begin, in bytes
  uint64_t size;    // in bytes
  TypeId type;
  TypeId variable;  // its own number, by which its tags are found
};

// How an integer is to be shown.
enum class IntegerStyle { kNumber, kBoolean, kCharacter };

class TypeInfo {
 public:
  // `raw` is a whole BTF blob (Documentation/bpf/btf.rst), copied. Errors: kDamaged.
  static Result<TypeInfo> Parse(std::span<const std::byte> raw);
  static Result<TypeInfo> Parse(std::vector<std::byte> raw);
  // The types of a blob that was read already.
  explicit TypeInfo(Btf btf);
  // Types that go on where those of `base` end, as modules have them. `base` must outlive what is
  // returned. Errors: kDamaged.
  static Result<TypeInfo> ParseSplit(std::span<const std::byte> raw, const TypeInfo& base);
  ~TypeInfo();
  TypeInfo(TypeInfo&&) noexcept;
  TypeInfo& operator=(TypeInfo&&) noexcept;

  // The struct or union of that name. Errors: kNotFound.
  Result<TypeId> FindStruct(std::string_view name) const;
  // The type of that kind's keyword and name: "struct x", "union x", "enum x", or a plain name for
  // a typedef, integer or struct. Errors: kNotFound.
  Result<TypeId> FindType(std::string_view name) const;
  // The type of a variable; of a kernel's, BTF has the per-CPU ones only. Errors: kNotFound.
  Result<TypeId> FindVariable(std::string_view name) const;
  // A section of a BPF program's variables (".bss"). Errors: kNotFound.
  Result<TypeId> FindSection(const std::string& name) const;
  // The value of an enumerator, looked up in all enums. 32-bit enums are given as they are. Errors:
  // kNotFound.
  Result<int64_t> FindEnumerator(std::string_view name) const;

  // A member by a path like "se.load.weight", "scx.dsq_list.node" or "cpus_mask.bits[0]": through
  // anonymous structs and unions, into nested ones, array elements by [index]. The root may be a
  // typedef. Errors: kNotFound (names the first component that is not there and what was searched),
  // kInvalidArgument (a malformed path, an index outside the array, a path through a pointer).
  Result<Member> FindMember(TypeId root, std::string_view path) const;
  Result<Member> FindMember(std::string_view struct_name, std::string_view path) const;

  // What a type consists of, in the order of its declaration; nothing for types of another kind.
  std::vector<NamedMember> MembersOf(TypeId composite) const;
  std::vector<Enumerator> EnumeratorsOf(TypeId enumeration) const;
  std::vector<SectionVariable> VariablesOf(TypeId section) const;
  // Of an array; 0 for a flexible one and for other types.
  uint64_t ElementCount(TypeId array) const;
  bool IsSigned(TypeId type) const;
  IntegerStyle StyleOf(TypeId type) const;

  // In bytes. Errors: kNotFound for types without a size (void, functions).
  Result<uint64_t> SizeOf(TypeId type) const;
  Result<uint64_t> SizeOf(std::string_view struct_name) const;
  TypeKind KindOf(TypeId type) const;
  // The type behind typedefs and qualifiers.
  TypeId Strip(TypeId type) const;
  // The type behind qualifiers (const, volatile, restrict) and type tags; typedefs are kept.
  TypeId WithoutQualifiers(TypeId type) const;
  // The name as written, empty for anonymous types.
  std::string_view NameOf(TypeId type) const;
  // What a pointer points to, or an array consists of; void for other kinds.
  TypeId Target(TypeId type) const;

  // What the target of a pointer is tagged with (btf_type_tag), from outside in: "kptr", "user".
  std::vector<std::string_view> TypeTagsOf(TypeId pointer) const;
  // What a variable, or a member of a structure (by its index in MembersOf), was tagged with
  // (btf_decl_tag), such as "contains:node:links".
  std::vector<std::string_view> TagsOfVariable(TypeId variable) const;
  std::vector<std::string_view> TagsOfMember(TypeId composite, size_t index) const;

  size_t type_count() const;
  // The blob that they come from.
  const Btf& blob() const { return *btf_; }
  // The names of all structures, unions, integers, typedefs and enums, in no order.
  std::vector<std::string_view> TypeNames() const;

 private:
  const btf_type* At(TypeId id) const;
  std::vector<std::string_view> TagsAt(uint32_t type, int32_t component) const;
  Result<Member> FindDirect(TypeId composite, std::string_view name) const;
  Enumerator EnumeratorAt(const btf_type* enumeration, uint32_t index) const;
  Member MemberAt(const btf_type* composite, uint32_t index, uint64_t base_bits) const;
  Result<Member> Element(Member array, uint64_t index, std::string_view path) const;

  std::unique_ptr<const Btf> btf_;  // split ones know where it is
};

}  // namespace ktstr

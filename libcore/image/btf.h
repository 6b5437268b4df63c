// Btf: a BTF blob (Documentation/bpf/btf.rst) read where it lies: types by number, strings by
// offset, types by name.
//
// What it needs beside the blob, where each type begins and which names there are, is a handful of
// flat arrays (BtfIndex), so that a kernel's can be kept in a file and used where that is mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/image/name_table.h"

struct btf_type;

namespace ktstr {

// A btf_decl_tag: what it is on, and its text.
struct BtfTag {
  uint32_t type;
  int32_t component;  // index of a member, or -1
  uint32_t id;        // of the tag itself

  friend auto operator<=>(const BtfTag&, const BtfTag&) = default;
};

// An enumerator: its enum and its index in that.
struct BtfEnumerator {
  uint32_t type;
  uint32_t index;
};

// Of the types of one blob, whose numbers go on where those of its base end.
struct BtfIndex {
  std::span<const uint32_t> offsets;  // in the type section, in bytes
  // By name, of several of one name the first: structs and unions; integers, typedefs, enums and
  // floats; variables and sections; enumerators (their number in `enumerators`).
  std::span<const NameSlot> structs, others, variables, enumerator_names;
  std::span<const BtfEnumerator> enumerators;
  std::span<const BtfTag> tags;  // sorted
};

class Btf {
 public:
  // `raw` is kept alive by `owner`. A split one needs its base, which must outlive it. Errors:
  // kDamaged when the blob's header, a type's length or a string's end cannot be.
  static Result<Btf> Parse(std::span<const std::byte> raw, std::shared_ptr<const void> owner,
                           const Btf* base = nullptr);
  // With an index that was made of the same blob before; no check of the types but that they lie in
  // the blob.
  static Result<Btf> With(std::span<const std::byte> raw, const BtfIndex& index,
                          std::shared_ptr<const void> owner);

  std::span<const std::byte> raw() const { return raw_; }
  const BtfIndex& index() const { return index_; }

  // With void, and with those of the base.
  uint32_t type_count() const { return first_ + static_cast<uint32_t>(index_.offsets.size()); }
  // The type of that number, whole within the blob; void's for 0, nullptr when there is none.
  const btf_type* TypeAt(uint32_t id) const;
  // The string at that offset, nullptr outside.
  const char* StringAt(uint32_t offset) const;
  // Empty where there is none.
  std::string_view NameOf(uint32_t id) const;

  // Types by name. Those of a split one's base come first, as in the kernel's own lookups.
  enum class Names { kStructs, kOthers, kVariables };
  std::optional<uint32_t> Find(Names names, std::string_view name) const;
  // Of all structures, unions, integers, typedefs, enums and floats, in no order.
  std::vector<std::string_view> TypeNames() const;
  std::optional<BtfEnumerator> FindEnumerator(std::string_view name) const;
  // The ids of the tags on a type, or on a member of it.
  std::vector<uint32_t> TagsOn(uint32_t type, int32_t component) const;

  // In bytes; nothing for types without a size, and for such as do not end.
  std::optional<uint64_t> SizeOf(uint32_t id) const;

 private:
  Status ReadHeader();
  Status FindTypes(std::vector<uint32_t>* offsets) const;
  const btf_type* OwnTypeAt(uint32_t offset) const;

  std::span<const std::byte> raw_, types_;
  std::string_view strings_;
  uint32_t first_ = 1;         // the number of the first type; void is 0
  uint32_t first_string_ = 0;  // the offset of the first string
  const Btf* base_ = nullptr;
  BtfIndex index_;
  std::shared_ptr<const void> owner_;
};

}  // namespace ktstr

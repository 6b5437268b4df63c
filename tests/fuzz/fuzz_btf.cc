// Proves: whatever BTF says (of a kernel, a module or a BPF object), reading it and every answer
// that TypeInfo gives from it ends and stays within the bytes.
#include <algorithm>

#include "fixtures/synthetic/btf_builder.h"
#include "fuzz.h"
#include "libcore/image/orc.h"
#include "libcore/image/type_info.h"
#include "libcore/image/type_text.h"

namespace ktstr::fuzz {
namespace {

// Enough of them; the first ones see each kind.
constexpr size_t kTypes = 2000, kMembers = 32;

void AskOfType(const TypeInfo& types, TypeId id) {
  (void)types.NameOf(id);
  (void)types.SizeOf(id);
  (void)types.KindOf(id);
  (void)types.StyleOf(id);
  (void)types.ElementCount(types.Strip(id));
  (void)types.Target(types.WithoutQualifiers(id));
  (void)types.IsSigned(id);
  (void)types.TypeTagsOf(id);
  (void)types.TagsOfVariable(id);
  (void)types.EnumeratorsOf(id);
  (void)types.VariablesOf(id);
  (void)TypeText(types, id);
  const auto members = types.MembersOf(id);
  for (size_t i = 0; i < std::min(members.size(), kMembers); ++i) {
    const std::string name(members[i].name);
    if (const auto found = types.FindMember(id, name)) {
      Require(found->bit_offset + found->bit_size <= 64, "a bit field lies within a word");
    }
    (void)types.FindMember(id, name + "[1][0]");
    (void)types.FindMember(id, name + "." + name);
    (void)types.TagsOfMember(id, i);
  }
}

void AskAll(const TypeInfo& types) {
  for (size_t id = 0; id < std::min(types.type_count() + 2, kTypes); ++id) {
    AskOfType(types, TypeId(static_cast<uint32_t>(id)));
  }
  AskOfType(types, TypeId{UINT32_MAX});
  const auto names = types.TypeNames();
  for (size_t i = 0; i < std::min(names.size(), kMembers); ++i) {
    (void)types.FindType(names[i]);
    (void)types.FindStruct(names[i]);
    (void)types.FindVariable(names[i]);
    (void)types.FindSection(std::string(names[i]));
  }
  (void)types.FindEnumerator("ORC_TYPE_CALL");
  (void)OrcFormat::From(types);
}

const TypeInfo& Base() {
  static const TypeInfo base = [] {
    synthetic::BtfBuilder builder;
    builder.Struct("list_head", {{"list_head *", "next"}, {"list_head *", "prev"}});
    return TypeInfo::Parse(builder.Build()).value();
  }();
  return base;
}

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  const auto raw = fuzz::AsBytes(data, size);
  if (const auto whole = TypeInfo::Parse(raw)) fuzz::AskAll(*whole);
  if (const auto split = TypeInfo::ParseSplit(raw, fuzz::Base())) fuzz::AskAll(*split);
  return 0;
}

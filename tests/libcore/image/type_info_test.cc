#include "libcore/image/type_info.h"

#include <bpf/btf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures/synthetic/btf_builder.h"
#include "libcore/image/type_text.h"

namespace ktstr {
namespace {

using ::testing::HasSubstr;

TypeInfo MakeTypes() {
  synthetic::BtfBuilder b;
  b.Struct("list_head", {{"list_head *", "next"}, {"list_head *", "prev"}});
  b.Struct("load_weight", {{"u64", "weight"}, {"u32", "inv_weight"}});
  b.Struct("entity", {{"load_weight", "load"}, {"u64", "vruntime"}});
  b.Struct("cpumask", {{"u64[4]", "bits"}});
  b.Typedef("cpumask_t", "cpumask");
  b.Struct("inner", {{"u16", "deep"}, {"s64", "deeper"}});
  b.Union("either", {{"u32", "number"}, {"inner", ""}});
  b.Enum("state", {{"STATE_A", 0}, {"STATE_B", 7}});
  b.Struct("node", {{"list_head", "node"}, {"u32", "flags"}});
  b.Struct("task", {{"u32", "__state"},
                    {"u32:1", "first"},
                    {"u32:3", "second"},
                    {"int:5", "third"},
                    {"entity", "se"},
                    {"cpumask_t", "mask"},
                    {"either", ""},
                    {"node[3]", "nodes"},
                    {"entity *", "pointer"},
                    {"char[16]", "comm"},
                    {"state", "state"}});
  return TypeInfo::Parse(b.Build()).value();
}

uint64_t OffsetOf(const TypeInfo& types, std::string_view path) {
  const auto member = types.FindMember("task", path);
  return member ? member->offset : UINT64_MAX;
}

// As the C compiler has it.
struct Task {
  uint32_t state_word;
  uint32_t bits;
  struct {
    struct {
      uint64_t weight;
      uint32_t inv_weight;
    } load;
    uint64_t vruntime;
  } se;
  struct {
    uint64_t bits[4];
  } mask;
  union {
    uint32_t number;
    struct {
      uint16_t deep;
      int64_t deeper;
    } inner;
  } either;
  struct {
    void* next;
    void* prev;
    uint32_t flags;
  } nodes[3];
  void* pointer;
  char comm[16];
  uint32_t state;
};

TEST(TypeInfoTest, MembersAreWhereACompilerPutsThem) {
  const TypeInfo types = MakeTypes();
  EXPECT_EQ(OffsetOf(types, "__state"), offsetof(Task, state_word));
  EXPECT_EQ(OffsetOf(types, "se.vruntime"), offsetof(Task, se.vruntime));
  EXPECT_EQ(OffsetOf(types, "se.load.weight"), offsetof(Task, se.load.weight));
  EXPECT_EQ(OffsetOf(types, "comm"), offsetof(Task, comm));
  EXPECT_EQ(types.SizeOf("task"), sizeof(Task));
}

TEST(TypeInfoTest, APathGoesThroughTypedefsAndArrayElements) {
  const TypeInfo types = MakeTypes();
  EXPECT_EQ(OffsetOf(types, "mask.bits[0]"), offsetof(Task, mask));
  EXPECT_EQ(OffsetOf(types, "mask.bits[3]"), offsetof(Task, mask) + 24);
  EXPECT_EQ(OffsetOf(types, "nodes[2].node.prev"), offsetof(Task, nodes) + 2 * 24 + 8);
}

TEST(TypeInfoTest, MembersOfAnonymousUnionsAndStructsAreReachedByTheirOwnNames) {
  const TypeInfo types = MakeTypes();
  EXPECT_EQ(OffsetOf(types, "number"), offsetof(Task, either));
  EXPECT_EQ(OffsetOf(types, "deep"), offsetof(Task, either));
  EXPECT_EQ(OffsetOf(types, "deeper"), offsetof(Task, either) + 8);
}

TEST(TypeInfoTest, ABitFieldHasItsStorageAndItsBits) {
  const TypeInfo types = MakeTypes();
  const Member second = types.FindMember("task", "second").value();
  EXPECT_TRUE(second.is_bit_field());
  EXPECT_EQ(second.offset, 4u);
  EXPECT_EQ(second.size, 4u);
  EXPECT_EQ(second.bit_offset, 1u);
  EXPECT_EQ(second.bit_size, 3u);
  EXPECT_FALSE(second.is_signed);
  const Member third = types.FindMember("task", "third").value();
  EXPECT_EQ(third.bit_offset, 4u);
  EXPECT_TRUE(third.is_signed);
}

TEST(TypeInfoTest, ANameThatIsNotThereIsNamed) {
  const TypeInfo types = MakeTypes();
  const auto absent = types.FindMember("task", "se.absent");
  EXPECT_EQ(absent.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(absent.error().message(), HasSubstr("'entity' has no member 'absent'"));
  EXPECT_EQ(types.FindMember("no_struct", "x").error().code(), ErrorCode::kNotFound);
}

TEST(TypeInfoTest, AWrongPathIsTheCallersMistake) {
  const TypeInfo types = MakeTypes();
  for (const char* path : {"", ".", "se.", "mask.bits[", "mask.bits[x]", "mask.bits[4]", "se[0]",
                           "pointer.load", "mask.bits[0]x", "__state.x"}) {
    const auto member = types.FindMember("task", path);
    ASSERT_FALSE(member) << path;
    EXPECT_EQ(member.error().code(), ErrorCode::kInvalidArgument) << path;
  }
}

TEST(TypeInfoTest, EnumeratorsHaveTheirValues) {
  const TypeInfo types = MakeTypes();
  EXPECT_EQ(types.FindEnumerator("STATE_B"), 7);
  EXPECT_EQ(types.FindEnumerator("STATE_C").error().code(), ErrorCode::kNotFound);
}

// A module's types go on where the kernel's end, with numbers and names of their own.
TEST(TypeInfoTest, TypesOfAModuleStandOnThoseOfTheKernel) {
  synthetic::BtfBuilder b;
  b.Struct("list_head", {{"list_head *", "next"}, {"list_head *", "prev"}});
  const std::vector<std::byte> kernels = b.Build();
  const auto base = TypeInfo::Parse(kernels);
  ASSERT_TRUE(base);
  const std::unique_ptr<btf, decltype(&btf__free)> of_libbpf(
      btf__new(kernels.data(), uint32_t(kernels.size())), btf__free);
  const std::unique_ptr<btf, decltype(&btf__free)> module(btf__new_empty_split(of_libbpf.get()),
                                                          btf__free);
  const auto list_head = static_cast<int>(*base->FindStruct("list_head"));
  ASSERT_GT(btf__add_struct(module.get(), "device_state", 24), 0);
  ASSERT_EQ(btf__add_field(module.get(), "node", list_head, 64, 0), 0);
  uint32_t size = 0;
  const void* raw = btf__raw_data(module.get(), &size);
  const std::span bytes(static_cast<const std::byte*>(raw), size);
  const auto types = TypeInfo::ParseSplit(bytes, *base);
  ASSERT_TRUE(types) << types.error().ToString();
  EXPECT_EQ(types->FindMember("device_state", "node.prev")->offset, 16u);
  EXPECT_EQ(types->FindStruct("list_head").value(), base->FindStruct("list_head").value());
  EXPECT_FALSE(base->FindStruct("device_state"));
  EXPECT_EQ(TypeInfo::ParseSplit(bytes.first(10), *base).error().code(), ErrorCode::kDamaged);
}

TEST(TypeInfoTest, DamagedBtfIsDamageOrAnswersWithoutCrashing) {
  synthetic::BtfBuilder b;
  b.Struct("inner", {{"u64", "a"}, {"u32:7", "b"}});
  b.Typedef("inner_t", "inner");
  b.Struct("outer", {{"inner_t[4]", "array"}, {"inner", ""}, {"inner *", "pointer"}});
  const std::vector<std::byte> good = b.Build();
  ASSERT_TRUE(TypeInfo::Parse(good));
  EXPECT_EQ(TypeInfo::Parse(std::span(good).first(10)).error().code(), ErrorCode::kDamaged);
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::vector<std::byte> bad = good;
      bad[at] ^= static_cast<std::byte>(flip);
      const auto types = TypeInfo::Parse(bad);
      if (!types) continue;
      for (const char* path : {"a", "b", "array[1].b", "pointer", "array"}) {
        (void)types->FindMember("outer", path);
      }
    }
  }
}

TEST(TypeInfoTest, TagsOfDeclarationsAndOfWhatPointersPointTo) {
  synthetic::BtfBuilder b;
  b.Struct("task", {{"int", "pid"}});
  b.Struct("head", {{"u64[2]", "opaque"}});
  b.Struct("value", {{"u64", "plain"},
                     {"head", "items", "contains:item:link"},
                     {"@kptr task *", "kept"},
                     {"task *", "untagged"}});
  b.Section(".bss", {{"u64", "first"}, {"head", "queue", "contains:item:node"}});
  const TypeInfo types = TypeInfo::Parse(b.Build()).value();
  const TypeId value = types.FindStruct("value").value();
  EXPECT_THAT(types.TagsOfMember(value, 0), testing::IsEmpty());
  EXPECT_THAT(types.TagsOfMember(value, 1), testing::ElementsAre("contains:item:link"));
  const auto members = types.MembersOf(value);
  EXPECT_THAT(types.TypeTagsOf(members[2].member.type), testing::ElementsAre("kptr"));
  EXPECT_THAT(types.TypeTagsOf(members[3].member.type), testing::IsEmpty());
  EXPECT_EQ(types.NameOf(types.Strip(types.Target(members[2].member.type))), "task");
  const auto variables = types.VariablesOf(types.FindSection(".bss").value());
  EXPECT_THAT(types.TagsOfVariable(variables[0].variable), testing::IsEmpty());
  EXPECT_THAT(types.TagsOfVariable(variables[1].variable),
              testing::ElementsAre("contains:item:node"));
}

TEST(NewerTypesTest, AHeaderThatHasGrownIsSkipped) {
  const std::unique_ptr<btf, decltype(&btf__free)> made(btf__new_empty(), btf__free);
  ASSERT_GT(btf__add_int(made.get(), "int", 4, BTF_INT_SIGNED), 0);
  uint32_t size = 0;
  const auto* raw = static_cast<const std::byte*>(btf__raw_data(made.get(), &size));
  // With eight bytes more than it has here; libbpf's own may have grown already.
  std::vector<std::byte> grown(raw, raw + size);
  constexpr size_t kHeaderLength = 4;  // where it stands
  uint32_t length = 0;
  std::memcpy(&length, grown.data() + kHeaderLength, sizeof length);
  grown.insert(grown.begin() + length, 8, std::byte(0));
  length += 8;
  std::memcpy(grown.data() + kHeaderLength, &length, sizeof length);
  const auto types = TypeInfo::Parse(grown);
  ASSERT_TRUE(types) << types.error().ToString();
  EXPECT_EQ(types->SizeOf(types->FindType("int").value()), 4u);
}

TEST(PackedTypesTest, ABitFieldThatCrossesItsUnitIsReadWhole) {
  const std::unique_ptr<btf, decltype(&btf__free)> made(btf__new_empty(), btf__free);
  const int word = btf__add_int(made.get(), "unsigned int", 4, 0);
  const int wide = btf__add_int(made.get(), "unsigned long", 8, 0);
  ASSERT_GT(btf__add_struct(made.get(), "packed", 24), 0);
  ASSERT_EQ(btf__add_field(made.get(), "inside", word, 3, 10), 0);
  ASSERT_EQ(btf__add_field(made.get(), "across", word, 30, 10), 0);
  ASSERT_EQ(btf__add_field(made.get(), "too_wide", wide, 68, 63), 0);
  uint32_t size = 0;
  const auto* raw = static_cast<const std::byte*>(btf__raw_data(made.get(), &size));
  const TypeInfo types = TypeInfo::Parse({raw, size}).value();
  const Member inside = types.FindMember("packed", "inside").value();
  EXPECT_EQ(inside.offset, 0u);
  EXPECT_EQ(inside.size, 4u);
  EXPECT_EQ(inside.bit_offset, 3u);
  const Member across = types.FindMember("packed", "across").value();
  EXPECT_EQ(across.offset, 3u);
  EXPECT_EQ(across.size, 2u);
  EXPECT_EQ(across.bit_offset, 6u);
  EXPECT_EQ(across.bit_size, 10u);
  EXPECT_FALSE(types.FindMember("packed", "too_wide")->is_bit_field());
}

TEST(DamagedTypesTest, AnArrayOfItselfHasAText) {
  const std::unique_ptr<btf, decltype(&btf__free)> made(btf__new_empty(), btf__free);
  const int index = btf__add_int(made.get(), "int", 4, BTF_INT_SIGNED);
  const int array = btf__add_array(made.get(), index, index + 1, 3);
  ASSERT_EQ(array, index + 1);
  uint32_t size = 0;
  const auto* raw = static_cast<const std::byte*>(btf__raw_data(made.get(), &size));
  const TypeInfo types = TypeInfo::Parse({raw, size}).value();
  const std::string text = TypeText(types, TypeId(static_cast<uint32_t>(array)));
  EXPECT_THAT(text, testing::StartsWith("…[3]"));
  EXPECT_LT(text.size(), 10'000u);
}

}  // namespace
}  // namespace ktstr

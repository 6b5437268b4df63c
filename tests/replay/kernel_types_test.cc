// Btf against libbpf, on the types of real kernels.
#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <memory>

#include "libcore/image/btf.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

class KernelTypesTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    machine_ = FrozenMachine::Open(std::string(KTSTR_STATE_DIR) + "/" + GetParam()).value();
    ours_ = &(*(*machine_->Kernel())->types())->blob();
    const auto raw = ours_->raw();
    theirs_.reset(btf__new(raw.data(), static_cast<uint32_t>(raw.size())));
    ASSERT_NE(theirs_, nullptr);
  }

  std::unique_ptr<FrozenMachine> machine_;
  const Btf* ours_ = nullptr;
  std::unique_ptr<btf, decltype(&btf__free)> theirs_{nullptr, btf__free};
};

TEST_P(KernelTypesTest, TypesStringsAndSizesAreAsLibbpfHasThem) {
  ASSERT_EQ(ours_->type_count(), btf__type_cnt(theirs_.get()));
  ASSERT_GT(ours_->type_count(), 1000U);
  size_t sized = 0;
  for (uint32_t id = 1; id < ours_->type_count(); ++id) {
    const btf_type *our = ours_->TypeAt(id), *their = btf__type_by_id(theirs_.get(), id);
    ASSERT_NE(our, nullptr) << id;
    ASSERT_EQ(our->info, their->info) << id;
    ASSERT_EQ(our->size, their->size) << id;
    ASSERT_EQ(ours_->NameOf(id), btf__str_by_offset(theirs_.get(), their->name_off)) << id;
    const int64_t size = btf__resolve_size(theirs_.get(), id);
    ASSERT_EQ(ours_->SizeOf(id), size < 0 ? std::nullopt : std::optional(uint64_t(size))) << id;
    sized += size > 0;
  }
  EXPECT_GT(sized, 1000U);
  EXPECT_EQ(ours_->TypeAt(ours_->type_count()), nullptr);
}

TEST_P(KernelTypesTest, NamesLeadToTheTypeThatLibbpfFinds) {
  size_t found = 0;
  for (uint32_t id = 1; id < ours_->type_count(); ++id) {
    const btf_type* type = ours_->TypeAt(id);
    const std::string name(ours_->NameOf(id));
    if (name.empty()) continue;
    if (btf_is_struct(type)) {
      const auto first = ours_->Find(Btf::Names::kStructs, name);
      ASSERT_TRUE(first) << name;
      // A union of that name may come before.
      if (!btf_is_struct(ours_->TypeAt(*first))) continue;
      ASSERT_EQ(int32_t(*first),
                btf__find_by_name_kind(theirs_.get(), name.c_str(), BTF_KIND_STRUCT));
      ++found;
    } else if (btf_is_typedef(type) || btf_is_int(type)) {
      const auto first = ours_->Find(Btf::Names::kOthers, name);
      ASSERT_TRUE(first) << name;
      ASSERT_EQ(ours_->NameOf(*first), name);
      ASSERT_LE(*first, id);
    }
  }
  EXPECT_GT(found, 1000U);
  EXPECT_FALSE(ours_->Find(Btf::Names::kStructs, "no such struct"));
  EXPECT_FALSE(ours_->FindEnumerator("NO_SUCH_ENUMERATOR"));
  const auto uninterruptible = ours_->FindEnumerator("PIDTYPE_PID");
  ASSERT_TRUE(uninterruptible);
  EXPECT_EQ(ours_->NameOf(uninterruptible->type), "pid_type");
}

INSTANTIATE_TEST_SUITE_P(States, KernelTypesTest, testing::Values("stall.kts", "oops.kts"));

}  // namespace
}  // namespace ktstr

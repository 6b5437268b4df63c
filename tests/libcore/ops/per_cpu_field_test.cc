#include "libcore/ops/per_cpu_field.h"

#include "ops_guest.h"

namespace ktstr {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Kernels before 6.15 have per-CPU symbols that are offsets, later ones addresses.
KernelOptions Based() {
  KernelOptions options;
  options.zero_based_per_cpu = false;
  options.encoding = KallsymsEncoding::kBaseRelative;
  return options;
}

KernelOptions WithoutKaslr(KernelOptions options) {
  options.kaslr_offset = 0;
  return options;
}

struct Variant {
  const char* name;
  KernelOptions options;
};

class PerCpuFieldTest : public ::testing::TestWithParam<Variant> {
 protected:
  PerCpuFieldTest() : builder_(GetParam().options), sched_(builder_) {
    synthetic::BtfBuilder& types = builder_.types();
    types.Struct("kernel_cpustat", {{"u64[10]", "cpustat"}});
    types.Struct("kernel_stat", {{"u64", "irqs_sum"}, {"u32[10]", "softirqs"}});
    types.Struct("tick_sched", {{"u64", "flags"}, {"u64", "idle_jiffies"}});
    for (const auto& [symbol, type] : {std::pair("kernel_cpustat", "kernel_cpustat"),
                                       {"kstat", "kernel_stat"},
                                       {"tick_cpu_sched", "tick_sched"}}) {
      builder_.PerCpuVariable(symbol, builder_.SizeOf(type));
    }
    sched_.AddProcess({.pid = 1});
  }
  OpsGuest& Guest() {
    if (!guest_) {
      sched_.Finish();
      guest_ = std::make_unique<OpsGuest>(builder_);
    }
    return *guest_;
  }

  KernelBuilder builder_;
  SchedBuilder sched_;
  std::unique_ptr<OpsGuest> guest_;
};

INSTANTIATE_TEST_SUITE_P(Kernels, PerCpuFieldTest,
                         ::testing::Values(Variant{"ZeroBased", KernelOptions()},
                                           Variant{"ZeroBasedWithoutKaslr",
                                                   WithoutKaslr(KernelOptions())},
                                           Variant{"Based", Based()},
                                           Variant{"BasedWithoutKaslr", WithoutKaslr(Based())},
                                           Variant{"FiveLevel", FiveLevels()}),
                         [](const auto& variant) { return variant.param.name; });

TEST_P(PerCpuFieldTest, ReadsAndWritesEachCpusOwnInstance) {
  for (uint32_t cpu = 0; cpu < 2; ++cpu) {
    builder_.Set("rq", builder_.PerCpu("runqueues", cpu), "nr_running", 10 + cpu);
    builder_.Set("rq", builder_.PerCpu("runqueues", cpu), "cfs.load.weight", 1000 + cpu);
  }
  for (uint32_t cpu = 0; cpu < 2; ++cpu) {
    const PerCpuFieldTarget nr{"runqueues", "nr_running", cpu};
    const PerCpuFieldTarget nested{"runqueues", "cfs.load.weight", cpu};
    EXPECT_THAT(Guest().Read({{nr, U32Value{}}, {nested, U64Value{}}}).read_values,
                ElementsAre(OpValue(U32Value{10 + cpu}), OpValue(U64Value{1000 + cpu})));
    ASSERT_TRUE(Guest().Write({{nr, U32Value{100 + cpu}}, {nested, U64Value{cpu}}}).success);
  }
  EXPECT_THAT(Guest()
                  .Read({{PerCpuFieldTarget{"runqueues", "nr_running", 0}, U32Value{}},
                         {PerCpuFieldTarget{"runqueues", "nr_running", 1}, U32Value{}}})
                  .read_values,
              ElementsAre(OpValue(U32Value{100}), OpValue(U32Value{101})));
}

TEST_P(PerCpuFieldTest, KnowsTheStructuresOfItsFourSymbols) {
  builder_.Set("kernel_cpustat", builder_.PerCpu("kernel_cpustat", 1), "cpustat[2]", 22);
  builder_.Set("kernel_stat", builder_.PerCpu("kstat", 1), "softirqs[3]", 33);
  builder_.Set("tick_sched", builder_.PerCpu("tick_cpu_sched", 1), "idle_jiffies", 44);
  EXPECT_THAT(Guest()
                  .Read({{PerCpuFieldTarget{"kernel_cpustat", "cpustat[2]", 1}, U64Value{}},
                         {PerCpuFieldTarget{"kstat", "softirqs[3]", 1}, U32Value{}},
                         {PerCpuFieldTarget{"tick_cpu_sched", "idle_jiffies", 1}, U64Value{}}})
                  .read_values,
              ElementsAre(OpValue(U64Value{22}), OpValue(U32Value{33}), OpValue(U64Value{44})));
  EXPECT_EQ(PerCpuStructOf("runqueues"), "rq");
  EXPECT_EQ(PerCpuStructOf("kernel_cpustat"), "kernel_cpustat");
  EXPECT_EQ(PerCpuStructOf("kstat"), "kernel_stat");
  EXPECT_EQ(PerCpuStructOf("tick_cpu_sched"), "tick_sched");
}

TEST_P(PerCpuFieldTest, OtherSymbolsAreRefusedWithTheOnesThereAre) {
  const OpFailure failure =
      Guest().ReadFailure({{PerCpuFieldTarget{"not_a_percpu", "x", 0}, U32Value{}}});
  EXPECT_EQ(Class(failure), "per-cpu-symbol-unknown/name");
  EXPECT_THAT(failure.error.text, AllOf(HasSubstr("runqueues"), HasSubstr("kernel_cpustat"),
                                        HasSubstr("kstat"), HasSubstr("tick_cpu_sched")));
  EXPECT_THAT(Guest().Read({{PerCpuFieldTarget{"not_a_percpu", "x", 0}, U32Value{}}}).reason,
              HasSubstr("entry[0]: PerCpuField not_a_percpu.x[cpu=0]: "));
}

TEST_P(PerCpuFieldTest, AFieldThatIsNotThereIsNamed) {
  for (const char* field : {"no_such_field", "cfs.no_such", "curr.pid", "", "a..b"}) {
    EXPECT_EQ(Class(Guest().ReadFailure({{PerCpuFieldTarget{"runqueues", field, 0}, U32Value{}}})),
              "field-unknown/name")
        << field;
  }
}

TEST_P(PerCpuFieldTest, ACpuThatIsNotThereIsRefused) {
  for (const uint32_t cpu : {2u, 63u, 0xffffffffu}) {
    EXPECT_EQ(Class(Guest().ReadFailure(
                  {{PerCpuFieldTarget{"runqueues", "nr_running", cpu}, U32Value{}}})),
              "no-such-cpu/address")
        << cpu;
  }
}

TEST_P(PerCpuFieldTest, ACpuWhoseOffsetIsZeroIsRefusedExceptTheFirst) {
  OpsGuest& guest = Guest();
  const Kva offsets = guest.kernel().symbol_kva("__per_cpu_offset").value();
  ASSERT_TRUE(guest.Write({{KvaTarget{offsets + 8}, U64Value{0}}}).success);
  const OpFailure failure =
      guest.ReadFailure({{PerCpuFieldTarget{"runqueues", "nr_running", 1}, U32Value{}}});
  EXPECT_EQ(Class(failure), "no-such-cpu/address");
  EXPECT_THAT(failure.error.text, HasSubstr("__per_cpu_offset[1]"));
  // Of CPU 0 it is an offset like others: right for a based symbol, far below for a zero-based one.
  ASSERT_TRUE(guest.Write({{KvaTarget{offsets}, U64Value{0}}}).success);
  const std::vector<OpEntry> first = {
      {PerCpuFieldTarget{"runqueues", "nr_running", 0}, U32Value{}}};
  if (GetParam().options.zero_based_per_cpu) {
    EXPECT_EQ(Class(guest.ReadFailure(first)), "per-cpu-below-kernel/address");
  } else {
    EXPECT_TRUE(guest.Read(first).success);
  }
}

TEST_P(PerCpuFieldTest, ArithmeticThatLeadsBelowTheGuestsOwnPageOffsetIsRefused) {
  OpsGuest& guest = Guest();
  const Kva offsets = guest.kernel().symbol_kva("__per_cpu_offset").value();
  const Kva symbol = guest.kernel().symbol_kva("runqueues").value();
  const Kva floor = guest.kernel().page_offset();
  ASSERT_TRUE(guest.Write({{KvaTarget{offsets + 8}, U64Value{floor - 1 - symbol}}}).success);
  const OpFailure failure =
      guest.ReadFailure({{PerCpuFieldTarget{"runqueues", "nr_running", 1}, U32Value{}}});
  EXPECT_EQ(Class(failure), "per-cpu-below-kernel/address");
  EXPECT_EQ(
      Class(guest.WriteFailure({{PerCpuFieldTarget{"runqueues", "nr_running", 1}, OrU32Value{1}}})),
      "per-cpu-below-kernel/address");
  ASSERT_TRUE(guest.Write({{KvaTarget{offsets + 8}, U64Value{floor - symbol}}}).success);
  EXPECT_TRUE(guest.Read({{PerCpuFieldTarget{"runqueues", "nr_running", 1}, U32Value{}}}).success);
}

TEST_P(PerCpuFieldTest, AnInstanceThatIsNotMappedIsAnError) {
  OpsGuest& guest = Guest();
  const Kva offsets = guest.kernel().symbol_kva("__per_cpu_offset").value();
  const Kva symbol = guest.kernel().symbol_kva("runqueues").value();
  const Kva hole(0xfffff00000000000);
  ASSERT_TRUE(guest.Write({{KvaTarget{offsets + 8}, U64Value{hole - symbol}}}).success);
  EXPECT_EQ(
      Class(guest.ReadFailure({{PerCpuFieldTarget{"runqueues", "nr_running", 1}, U32Value{}}})),
      "unmapped/memory");
}

TEST(PerCpuFieldErrorTest, ASymbolThatThisKernelLacksIsNamed) {
  KernelBuilder builder;
  builder.types().Struct("tick_sched", {{"u64", "flags"}});
  OpsGuest guest(builder);
  const OpFailure failure =
      guest.ReadFailure({{PerCpuFieldTarget{"tick_cpu_sched", "flags", 0}, U64Value{}}});
  EXPECT_EQ(Class(failure), "symbol-unknown/name");
  EXPECT_THAT(failure.error.text, HasSubstr("tick_cpu_sched"));
}

TEST(PerCpuFieldErrorTest, AStructureThatTheTypesLackIsNamed) {
  KernelBuilder builder;
  builder.PerCpuVariable("kstat", 8);
  OpsGuest guest(builder);
  const OpFailure failure =
      guest.ReadFailure({{PerCpuFieldTarget{"kstat", "irqs_sum", 0}, U64Value{}}});
  EXPECT_EQ(Class(failure), "type-unknown/name");
  EXPECT_THAT(failure.error.text, HasSubstr("struct kernel_stat"));
}

TEST(PerCpuFieldErrorTest, TypesThatCannotBeReadAreAnErrorOfTheirOwn) {
  KernelBuilder builder;
  SchedBuilder sched(builder);
  sched.AddProcess(ScxTask(5));
  sched.Finish();
  OpsGuest guest(builder);
  const Kva btf = guest.kernel().symbol_kva("__start_BTF").value();
  guest.memory().LeaveOut(Pfn::Of(guest.kernel().text_kva_to_pa(btf)), LeftOutReason::kFree);
  for (const OpTarget& target : {OpTarget(PerCpuFieldTarget{"runqueues", "nr_running", 0}),
                                 OpTarget(TaskFieldTarget{5, kStartTime, "prio"})}) {
    EXPECT_EQ(Class(guest.ReadFailure({{target, U32Value{}}})), "types-unavailable/name");
  }
}

}  // namespace
}  // namespace ktstr

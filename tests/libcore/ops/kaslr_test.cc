// What KASLR does to operations: on, off and unknown; with symbols from the guest's memory, which
// are run-time addresses, and from a vmlinux file, whose addresses must be slid.
#include "fixtures/sample/temporary_directory.h"
#include "fixtures/synthetic/vmlinux_builder.h"
#include "ops_guest.h"

namespace ktstr {
namespace {

using synthetic::SymbolSpec;
using synthetic::TemporaryDirectory;
using ::testing::HasSubstr;

class OpsKaslrTest : public ::testing::TestWithParam<std::tuple<uint64_t, bool>> {
 protected:
  OpsKaslrTest() {
    KernelOptions options;
    options.kaslr_offset = std::get<0>(GetParam());
    options.zero_based_per_cpu = std::get<1>(GetParam());
    if (!options.zero_based_per_cpu) options.encoding = KallsymsEncoding::kBaseRelative;
    // Nothing in memory tells where symbols are: they must come from the file.
    options.with_vmcoreinfo = false;
    KernelBuilder builder(options);
    SchedBuilder sched(builder);
    builder.Put<uint32_t>(builder.Data("variable", 4), 77);
    sched.AddProcess(ScxTask(5));
    builder.Set("rq", builder.PerCpu("runqueues", 1), "nr_running", 3);
    sched.Finish();
    guest_ = builder.Finish();
    for (SymbolSpec& symbol : guest_.symbols) {
      if (symbol.type != 'A') symbol.address -= options.kaslr_offset;
    }
  }
  Result<std::unique_ptr<GuestKernel>> Open(const std::vector<SymbolSpec>& link_time_symbols) {
    const auto path = directory_ / "vmlinux";
    EXPECT_TRUE(synthetic::WriteVmlinux(path, {link_time_symbols, guest_.btf, {}}));
    return GuestKernel::Open(*guest_.memory, guest_.vcpus, {.vmlinux = path});
  }

  TemporaryDirectory directory_;
  SyntheticGuest guest_;
};

INSTANTIATE_TEST_SUITE_P(Kernels, OpsKaslrTest,
                         ::testing::Combine(::testing::Values(0, 0x1d400000), ::testing::Bool()),
                         [](const auto& variant) {
                           return std::string(std::get<0>(variant.param) == 0 ? "Off" : "On") +
                                  (std::get<1>(variant.param) ? "ZeroBasedPerCpu" : "BasedPerCpu");
                         });

TEST_P(OpsKaslrTest, LinkTimeSymbolsAreSlidWhereverAGuestPointerMeetsThem) {
  const auto kernel = Open(guest_.symbols);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  Dispatcher dispatcher(**kernel);
  // The symbol itself; a per-CPU symbol of either kind; the list's head, init_task; and the class
  // that a task's pointer is compared with (L6).
  const OpRequest request = {
      .entries = {{SymbolTarget{"variable"}, U32Value{}},
                  {PerCpuFieldTarget{"runqueues", "nr_running", 1}, U32Value{}},
                  {TaskFieldTarget{5, kStartTime, "scx.weight"}, U32Value{}}}};
  const OpReply reply = StillGuest::Exclusively(
      [&](const Exclusive& exclusive) { return dispatcher.Dispatch(exclusive, request); });
  EXPECT_THAT(reply.read_values, ::testing::ElementsAre(OpValue(U32Value{77}), OpValue(U32Value{3}),
                                                        OpValue(U32Value{100})))
      << reply.reason;
}

TEST_P(OpsKaslrTest, ASlideThatNothingTellsIsAnErrorAndNotZero) {
  // Without the symbols that the methods compare with, nothing tells how far the kernel was moved.
  std::vector<SymbolSpec> symbols;
  for (const SymbolSpec& symbol : guest_.symbols) {
    const bool tells = symbol.name == "_text" || symbol.name == "_stext" ||
                       symbol.name == "entry_SYSCALL_64" || symbol.name == "asm_exc_divide_error";
    if (!tells) symbols.push_back(symbol);
  }
  const auto kernel = Open(symbols);
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(kernel.error().ToString(), HasSubstr("KASLR"));
}

}  // namespace
}  // namespace ktstr

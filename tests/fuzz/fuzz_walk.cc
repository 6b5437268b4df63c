// Proves: whatever a real guest's memory is changed to, each walker over it (tasks, stacks, run
// queues, sched_ext, BPF, …) ends, within a set time and amount of memory.
//
// The machine is an archive, KTSTR_FUZZ_STATE, opened once. Input: a byte that chooses the walker,
// then changes of 8 bytes each. A change falls on a word that is not zero in a page that the walker
// looks at when nothing is changed; every second one on a word that is a pointer, most of which are
// followed.
#include <cstdlib>
#include <optional>

#include "changes.h"
#include "fuzz.h"
#include "libcore/archive/reader.h"
#include "mutated_memory.h"
#include "replay/frozen_machine.h"
#include "walkers.h"

namespace ktstr::fuzz {
namespace {

class Target {
 public:
  Target() {
    const char* state = std::getenv("KTSTR_FUZZ_STATE");
    Require(state != nullptr, "KTSTR_FUZZ_STATE names an archive");
    auto machine = FrozenMachine::Open(state);
    if (!machine) std::fprintf(stderr, "%s\n", machine.error().ToString().c_str());
    Require(machine.has_value(), "the archive can be opened");
    machine_ = *std::move(machine);
    memory_ = std::make_unique<MutatedMemory>(machine_->memory());
    auto kernel = GuestKernel::Open(*memory_, machine_->archive().vcpus());
    Require(kernel && (*kernel)->types(), "the archive's kernel can be read");
    kernel_ = *std::move(kernel);
    changes_.resize(Walkers().size());
  }

  void Run(size_t walker, std::span<const uint8_t> changes) {
    ChangesOf(walker).Apply(changes, *memory_);
    kernel_->address_space().Flush();
    (void)Walkers()[walker].run(*kernel_);
    memory_->Reset();
  }

 private:
  const Changes& ChangesOf(size_t walker) {
    std::optional<Changes>& changes = changes_[walker];
    if (!changes) {
      kernel_->address_space().Flush();
      const auto pages = memory_->PagesReadBy([&] { (void)Walkers()[walker].run(*kernel_); });
      changes.emplace(*memory_, pages, kernel_->page_offset());
    }
    return *changes;
  }

  std::unique_ptr<FrozenMachine> machine_;
  std::unique_ptr<MutatedMemory> memory_;
  std::unique_ptr<GuestKernel> kernel_;
  std::vector<std::optional<Changes>> changes_;  // by walker, made when it is first asked for
};

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::fuzz;
  static Target target;
  if (size < 1) return 0;
  target.Run(data[0] % Walkers().size(), std::span(data, size).subspan(1));
  return 0;
}

// MemorySource: the frozen memory behind a connection's SQL functions. Nothing of it is read before
// the first question.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "libcore/base/result.h"
#include "libcore/base/stop.h"
#include "libcore/walk/bpf/arena_pointers.h"
#include "libcore/walk/bpf/named_types.h"
#include "libcore/walk/bpf/special_fields.h"
#include "libcore/walk/code/text_symbols.h"
#include "libcore/walk/row/anomaly.h"
#include "replay/machine.h"

namespace ktstr {

// A type, where pointers in values of it lead (null where they are the kernel's addresses), and
// what is known of its special fields (null: nothing).
struct NamedType {
  const TypeInfo* types;
  TypeId id;
  const PointerSpace* pointers;
  SpecialFields* special;
};

class MemorySource {
 public:
  explicit MemorySource(std::shared_ptr<Machine> machine, KernelChoice choice = {})
      : machine_(std::move(machine)), choice_(std::move(choice)) {}

  Machine& machine() { return *machine_; }
  // Whether a walk that takes long shall end; nullptr for never. It must outlive the walks.
  const Stop* stop() const { return stop_; }
  void StopBy(const Stop* stop) { stop_ = stop; }
  // Errors: those of GuestKernel::Open, and of GuestKernel::types.
  Result<const GuestKernel*> Kernel();
  Result<const TypeInfo*> Types();

  // "task_struct" of the kernel's types; "task_ctx@NAME" of those that a BPF program, a BPF map or
  // a module of that name came with. Values of programs have special fields, and pointers that
  // may lead into their arenas.
  // Errors: kNotFound, with the nearest name; those of Types.
  Result<NamedType> FindType(const std::string& name);
  // Where pointers of BPF programs lead. Errors: those of Types.
  Result<const ArenaPointers*> Arenas();

  // "name+0x…" of an address of text or of the kernel's data; nothing for any other. Errors: those
  // of Kernel.
  Result<std::optional<std::string>> Symbolize(Kva kva);
  // How many bytes the function at an address of text has, as the kernel's own messages tell it;
  // nothing where that is not known. Errors: those of Kernel.
  Result<std::optional<uint64_t>> FunctionSize(Kva kva);
  // The address of a symbol: of the kernel's, else of the generated code of a BPF program, by its
  // own name or the kernel's for it, else of a module. Errors: kNotFound, with the nearest
  // name; kInvalidArgument for a per-CPU one; kAmbiguous; those of Kernel.
  Result<Kva> FindSymbol(const std::string& name);
  // The address of a CPU's instance of a per-CPU variable. Errors: as FindSymbol, kInvalidArgument
  // for one that is not per-CPU; kOutOfRange (no such CPU).
  Result<Kva> FindPerCpu(const std::string& name, uint32_t cpu);
  // An address as a user gives it: "0x…", a symbol, or with `cpu` a per-CPU variable. Errors: as
  // these; kInvalidArgument for other numbers.
  Result<Kva> FindAddress(const std::string& text, std::optional<uint32_t> cpu = std::nullopt);

 private:
  Result<Kva> Lookup(const std::string& name);
  Result<TextSymbols*> Text();
  Result<Walk> NewWalk();
  Result<SpecialFields*> Special();

  std::shared_ptr<Machine> machine_;
  KernelChoice choice_;
  const Stop* stop_ = nullptr;
  Anomalies ignored_{""};
  std::optional<TextSymbols> text_;
  std::optional<NamedTypes> named_types_;
  std::optional<ArenaPointers> arenas_;
  std::optional<BpfSpecialFields> special_;
};

// "0x" and 1 to 16 hexadecimal digits; nothing for any other text.
std::optional<Kva> ParseKva(std::string_view text);

}  // namespace ktstr

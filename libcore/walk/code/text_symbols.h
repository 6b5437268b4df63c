// Text: what an address of code belongs to, in the kernel itself, in its modules or in what it
// generates while it runs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/image/symbol_table.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/code/bpf_symbols.h"
#include "libcore/walk/code/ftrace_trampolines.h"
#include "libcore/walk/code/module_list.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

enum class TextKind : uint8_t { kKernel, kModule, kBpf, kFtrace };

// Names live as long as the TextSymbols.
struct TextPlace {
  TextKind kind = TextKind::kKernel;
  std::string_view symbol;  // empty: text that has no name
  Kva begin;                // of the symbol, or of the text without a name
  std::string_view module;  // empty outside of modules
  size_t index = 0;         // in modules(), bpf() or ftrace()
};

class TextSymbols {
 public:
  // Reads the lists; the symbols of a module at the first address in it. `anomalies` must outlive
  // this object. A kernel without types has names for its own text only.
  TextSymbols(const GuestKernel& kernel, const WalkLimits& limits, Anomalies& anomalies);
  explicit TextSymbols(const Walk& walk) : TextSymbols(walk.kernel, walk.limits, walk.anomalies) {}

  // Nothing for an address that is no text. Not for several threads at once.
  std::optional<TextPlace> Find(Kva kva);

  // How many bytes a place's symbol has, as the kernel reckons them for %pS: to the next symbol (of
  // generated code to its end). Nothing for text without a name, and behind the last symbol.
  std::optional<uint64_t> SizeOf(const TextPlace& place);

  // What has that name outside of the kernel itself: a BPF program's code by the name that the
  // kernel gives it ("bpf_prog_6deef7357e7b4530_name") or its own, or a module's code or data.
  // Errors: kNotFound, kAmbiguous.
  Result<Kva> FindByName(std::string_view name);

  const std::vector<ModuleRef>& modules() const { return modules_; }
  const std::vector<BpfSymbol>& bpf() const { return bpf_; }
  const std::vector<FtraceTrampoline>& ftrace() const { return ftrace_; }

 private:
  void AddRange(const char* begin, const char* end);
  std::optional<TextPlace> FindInModules(Kva kva);
  const SymbolTable& SymbolsOf(size_t module, ModuleSymbolKind kind = ModuleSymbolKind::kText);

  const GuestKernel& kernel_;
  Anomalies& anomalies_;
  std::vector<TextRange> kernel_text_;
  std::vector<ModuleRef> modules_;
  std::map<std::pair<size_t, ModuleSymbolKind>, SymbolTable> module_symbols_;
  std::vector<BpfSymbol> bpf_;
  std::vector<FtraceTrampoline> ftrace_;
};

}  // namespace ktstr

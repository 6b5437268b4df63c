#include "libcore/walk/code/bpf_symbols.h"

#include <algorithm>

#include "libcore/walk/container/list.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

namespace {

// No program's code is longer: BPF_JIT_LIMIT_MAX of real kernels is about this for all of them.
constexpr uint64_t kMaxCode = uint64_t{1} << 30;

struct KsymMembers : Fields {
  explicit KsymMembers(const Walk& walk) : Fields(walk, "bpf_ksym") {}
  MaybeMember start = Need("start"), end = Need("end"), name = Need("name"), lnode = Need("lnode");
};

}  // namespace

std::vector<BpfSymbol> ListBpfSymbols(const Walk& walk) {
  std::vector<BpfSymbol> symbols;
  const auto head = walk.kernel.symbol_kva("bpf_kallsyms");
  if (!head || !walk.types.FindStruct("bpf_ksym")) return symbols;
  const KsymMembers m(walk);
  if (!m.start || !m.end || !m.name || !m.lnode) return symbols;
  for (const Kva node : WalkList(walk, *head, "bpf_kallsyms")) {
    CellReader ksym(walk, node - m.lnode->offset, "a BPF symbol");
    const auto from = ksym.Pointer(m.start), to = ksym.Pointer(m.end);
    if (!from || !to) continue;
    if (*to <= *from || *to - *from > kMaxCode) {
      walk.anomalies.Add("damage", node, "a BPF symbol that covers no text");
      continue;
    }
    symbols.push_back({{*from, *to}, ksym.Text(m.name).value_or("")});
  }
  std::sort(symbols.begin(), symbols.end(),
            [](const BpfSymbol& a, const BpfSymbol& b) { return a.text.begin < b.text.begin; });
  return symbols;
}

std::string_view BpfFunctionName(std::string_view symbol) {
  constexpr std::string_view kProgram = "bpf_prog_";
  constexpr size_t kBeforeName = kProgram.size() + 16 + 1;  // and the program's tag
  if (!symbol.starts_with(kProgram) || symbol.size() <= kBeforeName) return symbol;
  return symbol.substr(kBeforeName);
}

}  // namespace ktstr

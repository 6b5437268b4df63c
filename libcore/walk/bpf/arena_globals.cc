#include "libcore/walk/bpf/arena_globals.h"

#include <algorithm>

namespace ktstr {

namespace {

// struct bpf_insn, include/uapi/linux/bpf.h: a load of 64 bits (BPF_LD | BPF_IMM | BPF_DW) takes
// two of them, with the low and the high half.
struct Instruction {
  uint8_t code;
  uint8_t registers;
  int16_t offset;
  uint32_t immediate;
};
constexpr uint8_t kLoad64 = 0x18;
constexpr uint64_t kMaxInstructions = 1'000'000;  // BPF_COMPLEXITY_LIMIT_INSNS

constexpr char kSection[] = ".addr_space.1";

uint64_t RoundUpToPage(uint64_t bytes) { return (bytes + kPageSize - 1) & ~(kPageSize - 1); }

}  // namespace

std::optional<ArenaSection> ArenaGlobals::Find(const BpfArena& arena) {
  if (!prog_.aux || !prog_.length || !prog_.instructions || !aux_.arena || !aux_.btf) {
    return std::nullopt;
  }
  std::optional<ArenaSection> found;
  std::vector<uint64_t> addresses;
  for (const BpfObject& object : ListBpfProgs(walk_)) {
    const auto aux = CellReader(walk_, object.kva, "a BPF program").Pointer(prog_.aux);
    if (!aux || aux->is_null()) continue;
    CellReader details(walk_, *aux, "a BPF program");
    if (details.Pointer(aux_.arena) != arena.container) continue;
    CollectAddresses(object.kva, arena, addresses);
    const auto btf = details.Pointer(aux_.btf);
    const TypeInfo* types = btf ? types_.At(*btf) : nullptr;
    if (types == nullptr || found) continue;
    if (const auto section = types->FindSection(kSection)) found = {types, *section, 0};
  }
  if (!found || addresses.empty()) return std::nullopt;
  const uint64_t size = found->types->SizeOf(found->section).value_or(0);
  const uint64_t rounded = RoundUpToPage(size);
  if (size == 0 || rounded > arena.bytes) return std::nullopt;
  int fitting = 0;
  for (const uint64_t begin : {arena.begin, arena.begin + arena.bytes - rounded}) {
    const bool fits =
        std::ranges::all_of(addresses, [&](uint64_t address) { return address - begin < size; });
    if (!fits) continue;
    found->begin = begin;
    ++fitting;
    if (rounded == arena.bytes) break;  // both are the same place
  }
  return fitting == 1 ? found : std::nullopt;
}

void ArenaGlobals::CollectAddresses(Kva prog, const BpfArena& arena,
                                    std::vector<uint64_t>& addresses) const {
  const auto length = CellReader(walk_, prog, "a BPF program").Unsigned(prog_.length);
  if (!length || *length > kMaxInstructions) return;
  std::vector<Instruction> code(*length);
  const Kva at = prog + prog_.instructions->offset;
  if (const auto read = walk_.kernel.Read(at, std::as_writable_bytes(std::span(code))); !read) {
    walk_.anomalies.Add(read.error(), at, "a BPF program's instructions");
    return;
  }
  for (size_t i = 0; i + 1 < code.size(); ++i) {
    if (code[i].code != kLoad64) continue;
    const uint64_t value = uint64_t{code[i + 1].immediate} << 32 | code[i].immediate;
    if (arena.begin != 0 && arena.Contains(value)) addresses.push_back(value);
    ++i;
  }
}

}  // namespace ktstr

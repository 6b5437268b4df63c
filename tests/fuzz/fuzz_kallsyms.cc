// Proves: whatever a guest's memory holds where its symbol tables are said to be, or where they are
// searched, reading them ends and takes memory in proportion to the tables.
#include <algorithm>
#include <array>

#include "fixtures/synthetic/buffer_memory.h"
#include "fixtures/synthetic/page_tables.h"
#include "fuzz.h"
#include "libcore/image/kallsyms.h"
#include "libcore/image/kallsyms_search.h"

namespace ktstr::fuzz {
namespace {

// The input's head says where each table is; its rest is the image.
struct Head {
  uint8_t kinds;  // which of the optional tables there are
  uint8_t unused;
  std::array<uint16_t, 7> at;  // bytes from the image's begin
  uint32_t known;              // where the known symbol is, from the image's begin
};

constexpr Kva kImage{0xffffffff81000000};
constexpr uint64_t kImageBytes = 64 << 10;
constexpr Pa kImagePa{0x10000};

void AskAll(const SymbolTable& symbols) {
  const size_t step = symbols.size() / 64 + 1;
  for (size_t i = 0; i < symbols.size(); i += step) {
    const Symbol symbol = symbols.at(i);
    Require(symbols.FindAt(symbol.address).has_value(), "a symbol is found at its address");
    const auto same = symbols.FindAll(symbol.name);
    Require(!same.empty(), "a symbol is found by its name");
    (void)symbols.Find(symbol.name);
  }
  (void)symbols.Find("_stext");
}

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  using namespace ktstr::fuzz;
  Head head;
  if (size < sizeof head) return 0;
  std::memcpy(&head, data, sizeof head);
  data += sizeof head;
  size = std::min<size_t>(size - sizeof head, kImageBytes);

  synthetic::BufferMemory memory(kImagePa.value() + kImageBytes);
  synthetic::PageTables tables(memory, Pa(0x1000), 4);
  tables.MapRange(kImage, kImagePa, kImageBytes);
  memory.PutBytes(kImagePa, AsBytes(data, size));
  const AddressSpace space(memory, tables.root(), PagingMode::kFourLevel);

  const auto at = [&](size_t i) { return kImage + head.at[i]; };
  KallsymsTables where = {.names = at(0),
                          .num_syms = at(1),
                          .token_table = at(2),
                          .token_index = at(3),
                          .addresses = std::nullopt,
                          .offsets = at(5),
                          .relative_base = std::nullopt};
  if ((head.kinds & 1) != 0) where.addresses = at(4);
  if ((head.kinds & 2) != 0) where.relative_base = at(6);
  const KnownSymbol known[] = {{"_stext", kImage + head.known}};
  if (const auto read = Kallsyms::Read(space, where, known)) AskAll(read->symbols);
  if (const auto ways = FindKallsyms(space, kImage, kImage + kImageBytes)) {
    for (const KallsymsTables& way : *ways) {
      if (const auto read = Kallsyms::Read(space, way, known)) AskAll(read->symbols);
    }
  }
  return 0;
}

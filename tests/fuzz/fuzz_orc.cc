// Proves: whatever an ORC table holds, and however a kernel's types lay its entries out, reading
// and asking it ends and stays within the tables.
#include "fixtures/synthetic/btf_builder.h"
#include "fuzz.h"
#include "libcore/image/orc.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  FuzzedDataProvider input(data, size);
  // struct orc_entry, with members of any types in any order of sizes.
  const char* const kTypes[] = {"s16", "u8", "u8:4", "u32:3", "u64", "u16:1", "u64[9]"};
  synthetic::BtfBuilder builder;
  std::vector<synthetic::MemberSpec> members;
  for (const char* name : {"sp_offset", "bp_offset", "sp_reg", "bp_reg", "type", "signal", "end"}) {
    const auto choice = input.ConsumeIntegralInRange<size_t>(0, std::size(kTypes));
    if (choice < std::size(kTypes)) members.push_back({kTypes[choice], name});
  }
  builder.PackedStruct("orc_entry", members);
  const TypeInfo types = TypeInfo::Parse(builder.Build()).value();
  auto format = OrcFormat::From(types);
  if (!format) return 0;
  (void)format->LearnNumbering(input.ConsumeBytes<std::byte>(input.ConsumeIntegral<uint8_t>()));
  const Kva ips_at(input.ConsumeIntegral<uint64_t>());
  // As many entries as fit, or a few bytes more or less.
  const size_t entry = format->entry_size() + sizeof(int32_t);
  const auto count = input.ConsumeIntegral<uint8_t>();
  const auto ips = input.ConsumeBytes<std::byte>(count * sizeof(int32_t));
  auto entries = fuzz::TakeRest(input);
  if (entry != 0 && entries.size() > ips.size() / sizeof(int32_t) * format->entry_size()) {
    entries.resize(ips.size() / sizeof(int32_t) * format->entry_size());
  }
  const auto table = OrcTable::Parse(*format, ips_at, ips, std::move(entries));
  if (!table) return 0;
  for (uint64_t i = 0; i < table->size() + 2; ++i) (void)table->Find(ips_at + i * 64);
  (void)table->Find(Kva(0));
  (void)table->Find(Kva(UINT64_MAX));
  return 0;
}

#include "analyze/memory_sql/memory_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "libcore/base/nearest_word.h"
#include "libcore/walk/code/symbolize.h"
#include "libcore/walk/value/value_path.h"

namespace ktstr {

namespace {

// Before 6.15 (x86-64) per-CPU symbols are offsets; since then they stand in a section of their
// own.
bool IsPerCpu(const GuestKernel& kernel, Kva symbol) {
  constexpr Kva kKernelHalf{uint64_t{1} << 63};
  if (symbol < kKernelHalf) return true;
  const auto begin = kernel.symbol_kva("__per_cpu_start");
  const auto end = kernel.symbol_kva("__per_cpu_end");
  return begin && end && *begin <= symbol && symbol < *end;
}

tl::unexpected<Error> NoSymbol(const GuestKernel& kernel, const std::string& name) {
  std::vector<std::string_view> names;
  names.reserve(kernel.symbols().size());
  for (size_t i = 0; i < kernel.symbols().size(); ++i) names.push_back(kernel.symbols().at(i).name);
  return Fail(ErrorCode::kNotFound, UnknownWord("symbol", name, names));
}

}  // namespace

std::optional<Kva> ParseKva(std::string_view text) {
  if (!text.starts_with("0x") && !text.starts_with("0X")) return std::nullopt;
  text.remove_prefix(2);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Kva(value);
}

Result<const GuestKernel*> MemorySource::Kernel() { return KTSTR_TRY(machine_->Kernel(choice_)); }

Result<const TypeInfo*> MemorySource::Types() { return KTSTR_TRY(Kernel())->types(); }

Result<Walk> MemorySource::NewWalk() { return Walk::Of(*KTSTR_TRY(Kernel()), ignored_); }

Result<const ArenaPointers*> MemorySource::Arenas() {
  if (!arenas_) arenas_.emplace(KTSTR_TRY(NewWalk()));
  return &*arenas_;
}

Result<SpecialFields*> MemorySource::Special() {
  if (!special_) special_.emplace(KTSTR_TRY(NewWalk()));
  return &*special_;
}

Result<NamedType> MemorySource::FindType(const std::string& name) {
  const size_t at = name.rfind('@');
  if (at == std::string::npos) {
    const TypeInfo* types = KTSTR_TRY(Types());
    return NamedType{types, KTSTR_TRY(FindTypeOrNearest(*types, name)), nullptr, nullptr};
  }
  if (!named_types_) named_types_.emplace(KTSTR_TRY(NewWalk()));
  const OwnerTypes owner = KTSTR_TRY(named_types_->Of(name.substr(at + 1)));
  const TypeId id = KTSTR_TRY(FindTypeOrNearest(*owner.types, name.substr(0, at)));
  if (!owner.of_program) return NamedType{owner.types, id, nullptr, nullptr};
  return NamedType{owner.types, id, KTSTR_TRY(Arenas()), KTSTR_TRY(Special())};
}

Result<TextSymbols*> MemorySource::Text() {
  if (!text_) text_.emplace(*KTSTR_TRY(Kernel()), WalkLimits(), ignored_);
  return &*text_;
}

Result<std::optional<std::string>> MemorySource::Symbolize(Kva kva) {
  const GuestKernel* kernel = KTSTR_TRY(Kernel());
  return SymbolizeAddress(*kernel, *KTSTR_TRY(Text()), kva);
}

Result<std::optional<uint64_t>> MemorySource::FunctionSize(Kva kva) {
  TextSymbols* text = KTSTR_TRY(Text());
  const auto place = text->Find(kva);
  return place ? text->SizeOf(*place) : std::nullopt;
}

Result<Kva> MemorySource::Lookup(const std::string& name) {
  const GuestKernel* kernel = KTSTR_TRY(Kernel());
  const auto symbol = kernel->symbol_kva(name);
  if (symbol) return *symbol;
  if (symbol.error().code() == ErrorCode::kNotFound) {
    const auto elsewhere = KTSTR_TRY(Text())->FindByName(name);
    if (elsewhere || elsewhere.error().code() == ErrorCode::kAmbiguous) return elsewhere;
    return NoSymbol(*kernel, name);
  }
  return Fail(symbol.error());
}

Result<Kva> MemorySource::FindSymbol(const std::string& name) {
  const Kva symbol = KTSTR_TRY(Lookup(name));
  if (!IsPerCpu(*KTSTR_TRY(Kernel()), symbol)) return symbol;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' is a per-CPU variable: say of which CPU", name));
}

Result<Kva> MemorySource::FindPerCpu(const std::string& name, uint32_t cpu) {
  const Kva symbol = KTSTR_TRY(Lookup(name));
  const GuestKernel* kernel = KTSTR_TRY(Kernel());
  if (IsPerCpu(*kernel, symbol)) return kernel->PerCpu(symbol, cpu);
  return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no per-CPU variable", name));
}

Result<Kva> MemorySource::FindAddress(const std::string& text, std::optional<uint32_t> cpu) {
  if (const auto kva = ParseKva(text)) return *kva;
  if (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no address: write it as 0x and hexadecimal digits", text));
  }
  return cpu ? FindPerCpu(text, *cpu) : FindSymbol(text);
}

}  // namespace ktstr

#include "libcore/walk/code/text_symbols.h"

#include <fmt/format.h>

#include <algorithm>

namespace ktstr {

namespace {

// From the symbol at `begin` to the next one above it (get_symbol_pos() in kernel/kallsyms.c).
std::optional<uint64_t> ToNextSymbol(const SymbolTable& symbols, uint64_t begin) {
  size_t low = 0, high = symbols.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (symbols.at(middle).address <= begin) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == symbols.size()) return std::nullopt;
  return symbols.at(low).address - begin;
}

}  // namespace

TextSymbols::TextSymbols(const GuestKernel& kernel, const WalkLimits& limits, Anomalies& anomalies)
    : kernel_(kernel), anomalies_(anomalies) {
  AddRange("_text", "_etext");
  AddRange("_sinittext", "_einittext");
  const auto walk = Walk::Of(kernel, anomalies, limits);
  if (!walk) return;
  modules_ = ListModules(*walk);
  bpf_ = ListBpfSymbols(*walk);
  ftrace_ = ListFtraceTrampolines(*walk);
}

void TextSymbols::AddRange(const char* begin, const char* end) {
  const auto from = kernel_.symbol_kva(begin), to = kernel_.symbol_kva(end);
  if (from && to) kernel_text_.push_back({*from, *to});
}

const SymbolTable& TextSymbols::SymbolsOf(size_t module, ModuleSymbolKind kind) {
  const auto found = module_symbols_.find({module, kind});
  if (found != module_symbols_.end()) return found->second;
  auto symbols = ReadModuleSymbols(kernel_, modules_[module], kind);
  if (!symbols) {
    anomalies_.Add(symbols.error(), modules_[module].module,
                   fmt::format("reading the symbols of module {}", modules_[module].name));
  }
  SymbolTable& kept = module_symbols_[{module, kind}];
  if (symbols) kept = *std::move(symbols);
  return kept;
}

std::optional<TextPlace> TextSymbols::FindInModules(Kva kva) {
  for (size_t i = 0; i < modules_.size(); ++i) {
    for (const TextRange& range : modules_[i].text) {
      if (!range.Contains(kva)) continue;
      TextPlace place = {TextKind::kModule, {}, range.begin, modules_[i].name, i};
      const auto symbol = SymbolsOf(i).FindAt(kva.value());
      if (symbol && symbol->address >= range.begin.value()) {
        place.symbol = symbol->name;
        place.begin = Kva(symbol->address);
      }
      return place;
    }
  }
  return std::nullopt;
}

Result<Kva> TextSymbols::FindByName(std::string_view name) {
  std::vector<Kva> found;
  for (const BpfSymbol& bpf : bpf_) {
    if (bpf.name == name || BpfFunctionName(bpf.name) == name) found.push_back(bpf.text.begin);
  }
  for (size_t i = 0; i < modules_.size(); ++i) {
    for (const ModuleSymbolKind kind : {ModuleSymbolKind::kText, ModuleSymbolKind::kData}) {
      const auto symbol = SymbolsOf(i, kind).Find(name);
      if (symbol) found.emplace_back(symbol->address);
      if (!symbol && symbol.error().code() == ErrorCode::kAmbiguous) return Fail(symbol.error());
    }
  }
  if (found.empty()) return Fail(ErrorCode::kNotFound, fmt::format("no symbol '{}'", name));
  if (found.size() == 1) return found[0];
  return Fail(ErrorCode::kAmbiguous, fmt::format("'{}' stands at {:#x} and at {:#x}", name,
                                                 found[0].value(), found[1].value()));
}

std::optional<TextPlace> TextSymbols::Find(Kva kva) {
  for (const TextRange& range : kernel_text_) {
    if (!range.Contains(kva)) continue;
    const auto symbol = kernel_.symbols().FindAt(kva.value());
    if (!symbol) return TextPlace{TextKind::kKernel, {}, range.begin};
    return TextPlace{TextKind::kKernel, symbol->name, Kva(symbol->address)};
  }
  if (auto place = FindInModules(kva)) return place;
  const auto after = std::upper_bound(bpf_.begin(), bpf_.end(), kva,
                                      [](Kva a, const BpfSymbol& s) { return a < s.text.begin; });
  if (after != bpf_.begin() && std::prev(after)->text.Contains(kva)) {
    const BpfSymbol& bpf = *std::prev(after);
    return TextPlace{
        TextKind::kBpf, bpf.name, bpf.text.begin, {}, static_cast<size_t>(&bpf - bpf_.data())};
  }
  for (size_t i = 0; i < ftrace_.size(); ++i) {
    if (ftrace_[i].text.Contains(kva)) {
      return TextPlace{TextKind::kFtrace, "ftrace_trampoline", ftrace_[i].text.begin, {}, i};
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> TextSymbols::SizeOf(const TextPlace& place) {
  const auto size_of = [](const TextRange& text) { return text.end - text.begin; };
  if (place.symbol.empty()) return std::nullopt;
  switch (place.kind) {
    case TextKind::kKernel:
      return ToNextSymbol(kernel_.symbols(), place.begin.value());
    case TextKind::kModule:
      return ToNextSymbol(SymbolsOf(place.index), place.begin.value());
    case TextKind::kBpf:
      return size_of(bpf_[place.index].text);
    case TextKind::kFtrace:
      break;
  }
  return size_of(ftrace_[place.index].text);
}

}  // namespace ktstr

#include "replay/gdb/symbol_file.h"

#include <elf.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "libcore/walk/code/text_symbols.h"
#include "libcore/walk/stack/orc_tables.h"
#include "replay/gdb/elf_file.h"
#include "replay/gdb/orc_frames.h"

namespace ktstr {

namespace {

struct NamedAddress {
  std::string name;
  uint64_t address = 0;
  bool global = false;
  uint64_t size = 0;
  uint16_t section = SHN_ABS;
  bool text = false;
};

// A piece of memory in which symbols lie.
struct MemoryPiece {
  std::string name;
  TextRange range;
  bool text = false;
};

class SymbolFileMaker {
 public:
  explicit SymbolFileMaker(const GuestKernel& kernel) : kernel_(kernel) {}

  Result<SymbolFile> Make() {
    const Kva begin = KTSTR_TRY(kernel_.symbol_kva("_text"));
    const Kva text_end = KTSTR_TRY(kernel_.symbol_kva("_etext"));
    const Kva end = kernel_.symbol_kva("_end").value_or(text_end);
    pieces_ = {{".kernel.text", {begin, text_end}, true},
               {".kernel.data", {text_end, std::max(text_end, end)}, false}};
    AddKernelSymbols();
    Anomalies anomalies("symbol_file");
    TextSymbols text(kernel_, {}, anomalies);
    AddModules(text);
    AddBpf(text);
    const auto walk = Walk::Of(kernel_, anomalies);
    std::string frames = walk ? Frames(*walk, text, pieces_[0].range) : "";
    Place();
    SymbolFile file;
    file.symbols = symbols_.size();
    file.has_frames = !frames.empty();
    file.bytes = Elf(std::move(frames));
    return file;
  }

 private:
  void AddKernelSymbols() {
    for (size_t i = 0; i < kernel_.symbols().size(); ++i) {
      const Symbol symbol = kernel_.symbols().at(i);
      symbols_.push_back(
          {std::string(symbol.name), symbol.address, 'A' <= symbol.type && symbol.type <= 'Z'});
    }
  }

  void AddModules(TextSymbols& text) {
    for (const ModuleRef& module : text.modules()) {
      for (const TextRange& range : module.text) {
        pieces_.push_back({"." + module.name + ".text", range, true});
      }
      for (const ModuleSymbolKind kind : {ModuleSymbolKind::kText, ModuleSymbolKind::kData}) {
        const auto symbols = ReadModuleSymbols(kernel_, module, kind);
        for (size_t i = 0; symbols && i < symbols->size(); ++i) {
          symbols_.push_back({std::string(symbols->at(i).name), symbols->at(i).address});
        }
      }
    }
  }

  void AddBpf(const TextSymbols& text) {
    for (const BpfSymbol& symbol : text.bpf()) {
      pieces_.push_back({"." + symbol.name, symbol.text, true});
      symbols_.push_back(
          {symbol.name, symbol.text.begin.value(), false, symbol.text.end - symbol.text.begin});
    }
  }

  static std::string Frames(const Walk& walk, TextSymbols& text, const TextRange& kernel) {
    auto orc = OrcTables::Open(walk, text);
    const auto own = orc ? orc->ReadKernelTable() : Result<OrcTable>(Fail(orc.error()));
    if (!own) return "";
    OrcFrames frames;
    frames.Add(*own, kernel.begin, kernel.end);
    for (size_t i = 0; i < text.modules().size(); ++i) {
      if (text.modules()[i].orc_count == 0) continue;
      for (const TextRange& range : text.modules()[i].text) {
        frames.Add(orc->TableOf(i), range.begin, range.end);
      }
    }
    return std::move(frames).Take();
  }

  // Which piece each symbol is in, and how many bytes it has: to the next symbol, or its piece's
  // end.
  void Place() {
    std::erase_if(pieces_,
                  [](const MemoryPiece& piece) { return piece.range.end <= piece.range.begin; });
    // Numbers of sections that are reserved, or more than there can be.
    if (pieces_.size() >= SHN_LORESERVE - 8) pieces_.resize(SHN_LORESERVE - 8);
    std::stable_sort(pieces_.begin(), pieces_.end(),
                     [](const auto& a, const auto& b) { return a.range.begin < b.range.begin; });
    std::stable_sort(symbols_.begin(), symbols_.end(),
                     [](const auto& a, const auto& b) { return a.address < b.address; });
    uint64_t next = UINT64_MAX;
    for (size_t i = symbols_.size(); i-- > 0;) {
      NamedAddress& symbol = symbols_[i];
      const auto after = std::upper_bound(
          pieces_.begin(), pieces_.end(), Kva(symbol.address),
          [](Kva address, const MemoryPiece& piece) { return address < piece.range.begin; });
      if (i + 1 < symbols_.size() && symbols_[i + 1].address > symbol.address) {
        next = symbols_[i + 1].address;
      }
      if (after == pieces_.begin() || !std::prev(after)->range.Contains(Kva(symbol.address))) {
        continue;
      }
      const MemoryPiece& piece = *std::prev(after);
      symbol.section = static_cast<uint16_t>(after - pieces_.begin());
      symbol.text = piece.text;
      if (symbol.size == 0) symbol.size = std::min(next, piece.range.end.value()) - symbol.address;
    }
    // The format wants local symbols first.
    std::stable_sort(symbols_.begin(), symbols_.end(),
                     [](const auto& a, const auto& b) { return !a.global && b.global; });
  }

  std::string Elf(std::string frames) const {
    std::vector<ElfSection> sections;
    for (const MemoryPiece& piece : pieces_) {
      ElfSection section{piece.name, SHT_NOBITS, SHF_ALLOC, piece.range.begin.value(), {}};
      section.flags |= piece.text ? SHF_EXECINSTR : SHF_WRITE;
      section.memory_size = piece.range.end - piece.range.begin;
      sections.push_back(std::move(section));
    }
    if (!frames.empty()) {
      sections.push_back({".debug_frame", SHT_PROGBITS, 0, 0, std::move(frames)});
    }
    std::string table, names(1, '\0');
    AppendStruct(table, Elf64_Sym{});
    uint32_t locals = 1;
    for (const NamedAddress& symbol : symbols_) {
      Elf64_Sym entry = {};
      entry.st_name = static_cast<uint32_t>(names.size());
      entry.st_info = static_cast<unsigned char>(ELF64_ST_INFO(
          symbol.global ? STB_GLOBAL : STB_LOCAL, symbol.text                 ? STT_FUNC
                                                  : symbol.section == SHN_ABS ? STT_NOTYPE
                                                                              : STT_OBJECT));
      entry.st_shndx = symbol.section;
      entry.st_value = symbol.address;
      entry.st_size = symbol.size;
      AppendStruct(table, entry);
      names += symbol.name;
      names += '\0';
      if (!symbol.global) ++locals;
    }
    const auto names_at = static_cast<uint32_t>(sections.size() + 2);
    sections.push_back(
        {".symtab", SHT_SYMTAB, 0, 0, std::move(table), 0, names_at, locals, sizeof(Elf64_Sym)});
    sections.push_back({".strtab", SHT_STRTAB, 0, 0, std::move(names)});
    return MakeElf(ET_EXEC, EM_X86_64, std::move(sections));
  }

  const GuestKernel& kernel_;
  std::vector<MemoryPiece> pieces_;
  std::vector<NamedAddress> symbols_;
};

}  // namespace

Result<SymbolFile> MakeSymbolFile(const GuestKernel& kernel) {
  return SymbolFileMaker(kernel).Make();
}

}  // namespace ktstr

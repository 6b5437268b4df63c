#include "replay/scrub.h"

#include <fmt/format.h>

#include <set>

#include "libcore/walk/memory/all_classes.h"
#include "libcore/walk/system/keyring.h"

namespace ktstr {

namespace {

// The largest variable that is believed to be one.
constexpr uint64_t kMostOfVariable = 64 << 20;

using Pages = std::set<Pfn>;

// The pages of [begin, begin + size) that are mapped.
void AddPages(const GuestKernel& kernel, Kva begin, uint64_t size, Pages& pages) {
  for (uint64_t at = 0; at < size; at += kPageSize - (begin + at).value() % kPageSize) {
    if (const auto pa = kernel.Translate(begin + at)) pages.insert(Pfn::Of(*pa));
  }
}

// From a symbol to the next one: kallsyms knows no sizes.
uint64_t SizeOf(const SymbolTable& symbols, const Symbol& symbol) {
  size_t low = 0, high = symbols.size();  // of the first one behind it
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (symbols.at(middle).address <= symbol.address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const uint64_t end = low < symbols.size() ? symbols.at(low).address : symbol.address + kPageSize;
  return std::min(end - symbol.address, kMostOfVariable);
}

Status AddSymbols(const GuestKernel& kernel, const std::vector<std::string>& names, Pages& pages) {
  for (const std::string& name : names) {
    const auto found = kernel.symbols().FindAll(name);
    if (found.empty()) {
      return Fail(ErrorCode::kNotFound, fmt::format("there is no symbol '{}'", name));
    }
    for (const Symbol& symbol : found) {
      AddPages(kernel, Kva(symbol.address), SizeOf(kernel.symbols(), symbol), pages);
    }
  }
  return {};
}

Result<uint64_t> AddKeys(const GuestKernel& kernel, Pages& pages) {
  Anomalies anomalies("key");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies));
  const std::vector<KeyMemory> keys = FindKeyMemory(walk);
  if (!anomalies.rows().empty()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the kernel's keyrings cannot be walked to their end, so keys might "
                            "stay: {}",
                            anomalies.rows().front().detail));
  }
  for (const KeyMemory& key : keys) AddPages(kernel, key.begin, key.size, pages);
  return keys.size();
}

}  // namespace

Result<ScrubSummary> ScrubMachine(FrozenMachine& machine, const std::string& path,
                                  const std::vector<std::string>& symbols) {
  const GuestKernel& kernel = *KTSTR_TRY(machine.Kernel());
  const AllClasses classes = KTSTR_TRY(AllClasses::Read(kernel, machine.kernel_options()));
  if (const uint64_t unreadable = classes.unreadable_pages(); unreadable > 0) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("the kernel's account of {} pages cannot be read: whose they are is not "
                    "known",
                    unreadable));
  }
  Pages scrubbed;
  ScrubSummary summary;
  summary.keys = KTSTR_TRY(AddKeys(kernel, scrubbed));
  KTSTR_TRY(AddSymbols(kernel, symbols, scrubbed));
  const ArchiveReader& archive = machine.archive();
  ArchiveContents contents = {.memory = machine.memory(),
                              .vcpus = archive.vcpus(),
                              .device_state = {},
                              .metadata = archive.metadata()};
  contents.metadata.parent_digest = archive.digest();
  contents.metadata.kept = "kernel";
  contents.metadata.vmm_command_line.clear();
  contents.metadata.tags["scrubbed"] = "user pages, file contents, free pages, keyrings";
  contents.filter = FilterByPage([&](Pfn pfn) {
    if (const LeftOutReason reason = classes.Of(pfn); reason != LeftOutReason::kNone) return reason;
    return scrubbed.contains(pfn) ? LeftOutReason::kScrubbed : LeftOutReason::kNone;
  });
  summary.archive = KTSTR_TRY(WriteArchive(path, contents, {}));
  return summary;
}

}  // namespace ktstr

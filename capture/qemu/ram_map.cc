#include "capture/qemu/ram_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "capture/qemu/json_access.h"
#include "capture/qemu/memory_tree.h"
#include "capture/qemu/monitor_ram.h"
#include "capture/qemu/process_info.h"
#include "capture/qemu/process_ram.h"

namespace ktstr {

namespace {

// The ids of the memory backends, which hold the guest's RAM; all other RAM regions belong to
// devices and firmware.
Result<std::set<std::string>> MemoryBackends(QmpClient& qmp) {
  const nlohmann::json answer = KTSTR_TRY(qmp.Execute("query-memdev"));
  if (!answer.is_array()) return Fail(StrangeAnswer(qmp.name(), "query-memdev", answer));
  std::set<std::string> ids;
  for (const auto& backend : answer) {
    const std::string id = StringMember(backend, "id");
    // Newer machine types name the region by the id, older ones by the object's path.
    ids.insert(id);
    ids.insert("/objects/" + id);
  }
  return ids;
}

// Where QEMU maps the page at `pa`, as an address of its own.
Result<uint64_t> HostAddress(QmpClient& qmp, Pa pa) {
  const std::string answer = KTSTR_TRY(qmp.HumanCommand(fmt::format("gpa2hva {:#x}", pa.value())));
  const size_t is = answer.rfind(" is 0x");
  uint64_t address = 0;
  if (is == std::string::npos || std::sscanf(answer.c_str() + is, " is %" SCNx64, &address) != 1) {
    return Fail(ErrorCode::kPeer, fmt::format("{} answers 'gpa2hva {:#x}' with '{}'", qmp.name(),
                                              pa.value(), answer));
  }
  return address;
}

class RamFinder {
 public:
  RamFinder(QmpClient& qmp, pid_t pid) : qmp_(qmp), pid_(pid) {
    auto mappings = ReadMappings(pid);
    if (mappings) {
      mappings_ = *std::move(mappings);
    } else {
      map_.why_monitor = mappings.error().ToString();
    }
  }

  Status Add(const MemoryTreeRange& range) {
    const uint64_t address = KTSTR_TRY(HostAddress(qmp_, range.begin));
    if ((range.begin.value() | range.size | address) % kPageSize != 0) {
      return Fail(ErrorCode::kPeer,
                  fmt::format("QEMU has RAM that does not begin and end at a page: {:#x} bytes at "
                              "guest-physical address {:#x}",
                              range.size, range.begin.value()));
    }
    RamPiece piece = {.begin = Pfn::Of(range.begin), .pages = range.size / kPageSize};
    if (const auto in_file = FileAt(address, range.size)) {
      std::tie(piece.file, piece.offset) = *in_file;
    } else {
      piece.offset = KTSTR_TRY(AddressInSource(range, address));
    }
    map_.pieces.push_back(piece);
    return {};
  }

  RamMap Take() {
    map_.pieces = JoinPieces(std::move(map_.pieces));
    return std::move(map_);
  }

 private:
  // The file that QEMU shares at its own address, and where in it; nothing for memory of its own,
  // and a file that cannot be opened.
  std::optional<std::pair<size_t, uint64_t>> FileAt(uint64_t address, uint64_t size) {
    const auto mapping = std::ranges::find_if(
        mappings_, [&](const ProcessMapping& m) { return m.begin <= address && address < m.end; });
    if (mapping == mappings_.end() || mapping->inode == 0 || !mapping->shared ||
        size > mapping->end - address) {
      return std::nullopt;
    }
    const auto file = FileOf(*mapping);
    if (!file) return std::nullopt;
    return std::pair(*file, mapping->offset + (address - mapping->begin));
  }

  std::optional<size_t> FileOf(const ProcessMapping& mapping) {
    for (size_t i = 0; i < opened_.size(); ++i) {
      if (opened_[i].inode == mapping.inode && opened_[i].device == mapping.device) return i;
    }
    auto file = OpenMappedFile(pid_, mapping);
    if (!file) return std::nullopt;
    map_.files.push_back(*std::move(file));
    opened_.push_back(mapping);
    return opened_.size() - 1;
  }

  // Memory of QEMU's own: the way to it is found when the first is met.
  Result<uint64_t> AddressInSource(const MemoryTreeRange& range, uint64_t address) {
    if (map_.source == nullptr && map_.why_monitor.empty()) {
      auto process = ProcessRam::Open(pid_, mappings_);
      if (process) {
        map_.source = *std::move(process);
      } else {
        map_.why_monitor = process.error().ToString();
      }
    }
    if (map_.source == nullptr) map_.source = KTSTR_TRY(MonitorRam::Open(qmp_));
    return map_.why_monitor.empty() ? address : range.begin.value();
  }

  QmpClient& qmp_;
  pid_t pid_;
  std::vector<ProcessMapping> mappings_;
  std::vector<ProcessMapping> opened_;  // one per map_.files
  RamMap map_;
};

}  // namespace

std::vector<RamPiece> JoinPieces(std::vector<RamPiece> pieces) {
  std::vector<RamPiece> joined;
  for (const RamPiece& piece : pieces) {
    if (!joined.empty()) {
      RamPiece& last = joined.back();
      if (last.end() == piece.begin && last.file == piece.file &&
          last.offset + last.pages * kPageSize == piece.offset) {
        last.pages += piece.pages;
        continue;
      }
    }
    joined.push_back(piece);
  }
  return joined;
}

Result<RamMap> FindRam(QmpClient& qmp, pid_t pid) {
  const auto backends = KTSTR_TRY(MemoryBackends(qmp));
  const auto ranges = KTSTR_TRY(ParseMemoryTree(KTSTR_TRY(qmp.HumanCommand("info mtree -f"))));
  RamFinder finder(qmp, pid);
  for (const MemoryTreeRange& range : ranges) {
    if (backends.contains(range.region)) KTSTR_TRY(finder.Add(range));
  }
  RamMap map = finder.Take();
  if (map.pieces.empty()) {
    return Fail(ErrorCode::kPeer,
                fmt::format("{} shows no RAM that belongs to a memory backend", qmp.name()));
  }
  return map;
}

}  // namespace ktstr

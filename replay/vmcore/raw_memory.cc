#include "replay/vmcore/raw_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "libcore/base/quantity.h"

namespace ktstr::vmcore {

namespace {

class RangesMemory : public DumpMemory {
 public:
  RangesMemory(const DumpFile& dump, std::vector<RawRange> ranges,
               std::vector<MemoryRegion> regions)
      : DumpMemory(std::move(regions)), dump_(dump), ranges_(std::move(ranges)) {}

  bool Has(Pfn pfn) const override { return FindRegion(pfn) != nullptr; }

 protected:
  Status ReadPage(Pfn pfn, std::span<std::byte, kPageSize> out) const override {
    const uint64_t pa = pfn.pa().value();
    const auto after = std::upper_bound(
        ranges_.begin(), ranges_.end(), pa,
        [](uint64_t p, const RawRange& range) { return p < range.begin + range.size; });
    if (after == ranges_.end()) return Fail(ErrorCode::kOutOfRange, "there is no RAM");
    return dump_.ReadAt(after->offset + (pa - after->begin), out);
  }

 private:
  const DumpFile& dump_;
  const std::vector<RawRange> ranges_;
};

// A number of bytes, in hexadecimal too.
Result<uint64_t> ParseBytes(std::string_view text) {
  if (!text.starts_with("0x")) return ParseSize(text);
  uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + 2, end, value, 16);
  if (error != std::errc() || at != end) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no number", text));
  }
  return value;
}

Error WrongRange(std::string_view text, std::string_view why) {
  return Error(
      ErrorCode::kInvalidArgument,
      fmt::format("'{}' is no place of RAM, such as 0x100000000:2G@0x80000000: {}", text, why));
}

}  // namespace

Result<RawRange> ParseRawRange(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return Fail(WrongRange(text, "it has no size"));
  const size_t at = std::min(text.find('@', colon), text.size());
  const auto begin = ParseBytes(text.substr(0, colon));
  const auto size = ParseBytes(text.substr(colon + 1, at - colon - 1));
  const auto offset = at == text.size() ? begin : ParseBytes(text.substr(at + 1));
  for (const auto* part : {&begin, &size, &offset}) {
    if (!*part) return Fail(WrongRange(text, part->error().message()));
    if (**part % kPageSize != 0) return Fail(WrongRange(text, "it has parts of a page"));
  }
  if (*size == 0 || *begin > ~*size || *offset > ~*size) {
    return Fail(WrongRange(text, "its size is impossible"));
  }
  return RawRange{*begin, *size, *offset};
}

Result<std::unique_ptr<DumpMemory>> RawMemory(const DumpFile& dump, std::vector<RawRange> ranges) {
  if (ranges.empty()) {
    if (dump.size() == 0 || dump.size() % kPageSize != 0) {
      return Fail(
          ErrorCode::kDamaged,
          fmt::format("it is {} bytes, which is no number of pages: it is no RAM, or cut off",
                      dump.size()));
    }
    ranges.push_back({0, dump.size(), 0});
  }
  std::ranges::sort(ranges, {}, &RawRange::begin);
  std::vector<MemoryRegion> regions;
  for (const RawRange& range : ranges) {
    if (range.offset + range.size > dump.size()) {
      return Fail(ErrorCode::kDamaged,
                  fmt::format("it is {} bytes, and should have {} of RAM at {:#x}", dump.size(),
                              range.size, range.offset));
    }
    const MemoryRegion region = {Pfn(range.begin >> kPageShift),
                                 Pfn((range.begin + range.size) >> kPageShift)};
    if (!regions.empty() && region.begin < regions.back().end) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("two places of RAM share the address {:#x}", range.begin));
    }
    if (!regions.empty() && region.begin == regions.back().end) {
      regions.back().end = region.end;
    } else {
      regions.push_back(region);
    }
  }
  return std::unique_ptr<DumpMemory>(new RangesMemory(dump, std::move(ranges), std::move(regions)));
}

}  // namespace ktstr::vmcore

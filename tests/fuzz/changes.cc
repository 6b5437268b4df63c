#include "changes.h"

#include <cstring>

namespace ktstr::fuzz {

namespace {
// More are no likelier to mislead.
constexpr size_t kMaxChanges = 64;
// Words to choose from.
constexpr size_t kMaxWords = size_t{1} << 20;
}  // namespace

struct Changes::One {
  uint8_t kind;
  uint8_t argument;
  uint16_t other;
  uint32_t place;
};

Changes::Changes(const GuestMemory& memory, std::span<const Pfn> pages, Kva page_offset)
    : page_offset_(page_offset) {
  for (const Pfn pfn : pages) {
    const PageView page = memory.View(pfn);
    for (size_t at = 0; page.readable() && at < kPageSize; at += sizeof(uint64_t)) {
      uint64_t word;
      std::memcpy(&word, page.data() + at, sizeof word);
      if (word == 0 || words_.size() >= kMaxWords) continue;
      words_.push_back(pfn.pa() + at);
      if (word >> 47 == 0x1ffff) pointers_.push_back({pfn.pa() + at, word});
    }
  }
}

void Changes::Apply(std::span<const uint8_t> input, MutatedMemory& memory) const {
  if (words_.empty() || pointers_.empty()) return;
  for (size_t i = 0; i < kMaxChanges && input.size() >= sizeof(One); ++i) {
    One change;
    std::memcpy(&change, input.data(), sizeof change);
    input = input.subspan(sizeof change);
    Apply(change, memory);
  }
}

void Changes::Apply(const One& change, MutatedMemory& memory) const {
  const uint64_t place = change.place / 2;
  const Pointer& pointer = pointers_[place % pointers_.size()];
  const Pa at = change.place % 2 == 0 ? pointer.at : words_[place % words_.size()];
  const uint64_t number = uint64_t{change.other} << 4 | change.argument >> 4;
  const uint64_t other = pointers_[number % pointers_.size()].value;
  const uint64_t old = memory.ReadScalar<uint64_t>(at).value_or(0);
  const uint8_t by = change.argument;
  constexpr uint64_t kUpper = 0xffffffff00000000;
  switch (change.kind % 12) {
    case 0:
      return memory.Change(at, 0);
    case 1:
      return memory.Change(at, UINT64_MAX);
    case 2:  // what another pointer leads to
      return memory.Change(at, other);
    case 3:  // this word itself
      return memory.Change(at, (page_offset_ + at.value()).value());
    case 4:  // another word
      return memory.Change(at, (page_offset_ + pointer.at.value()).value());
    case 5:  // into the middle of something, or before it
      return memory.Change(at, other + static_cast<uint64_t>(int64_t{int8_t(by)}));
    case 6:
      return memory.Change(at, by);
    case 7:
      return memory.Change(at, old + static_cast<uint64_t>(int64_t{int8_t(by)}));
    case 8:
      return memory.Change(at, old ^ uint64_t{1} << (by % 64));
    case 9:  // a large number in the lower half, or in the upper one
      return memory.Change(at, (old & kUpper) | uint64_t{0xffffffff} >> (by % 32));
    case 10:
      return memory.Change(at, (old & ~kUpper) | (uint64_t{0xffffffff} >> (by % 32)) << 32);
    default:
      return memory.LeaveOut(Pfn::Of(at));
  }
}

}  // namespace ktstr::fuzz

#include "libcore/archive/relocation.h"

#include <array>
#include <cstring>
#include <memory>
#include <span>

#include "libcore/archive/checksum.h"

namespace ktstr::archive {

namespace {

constexpr size_t kWords = kPageSize / sizeof(uint64_t);
// Words that are looked at together, without a branch.
constexpr size_t kStep = 16;

uint64_t WordAt(const std::byte* page, size_t index) {
  uint64_t word;
  std::memcpy(&word, page + index * sizeof(word), sizeof(word));
  return word;
}

constexpr bool IsNear(uint64_t word, uint64_t own) {
  return word - own + kOwnReach < 2 * kOwnReach;
}

}  // namespace

void PutRelocation(const Relocation& relocation, ByteSink& sink) {
  sink.PutVarint(relocation.from / kPageSize);
  sink.PutVarint(
      ZigZag(static_cast<int64_t>(relocation.to / kPageSize - relocation.from / kPageSize)));
}

std::optional<Relocation> GetRelocation(uint64_t pages, ByteSource& source) {
  constexpr uint64_t kEnd = uint64_t{1} << (64 - kPageShift);
  const uint64_t from = source.GetVarint();
  const uint64_t to = from + static_cast<uint64_t>(UnZigZag(source.GetVarint()));
  if (!source.ok() || from >= kEnd || to >= kEnd || pages > kEnd - to) return std::nullopt;
  return Relocation{from * kPageSize, to * kPageSize};
}

uint64_t OwnAddress(const std::byte* page) {
  // At the very beginning of a page any page's address would do.
  for (size_t i = 1; i < kWords; ++i) {
    const uint64_t word = WordAt(page, i);
    const bool own = word % kPageSize == i * sizeof(word) && static_cast<int64_t>(word) < 0;
    if (own) return word - i * sizeof(word);
  }
  return 0;
}

uint64_t HashRelative(const std::byte* page, uint64_t own) {
  std::array<uint64_t, kWords> relative;
  for (size_t i = 0; i < kWords; ++i) {
    const uint64_t word = WordAt(page, i);
    relative[i] = IsNear(word, own) ? word - own : word;
  }
  return Checksum(std::as_bytes(std::span(relative)));
}

bool EqualButForAddress(const std::byte* a, uint64_t own_a, const std::byte* b, uint64_t own_b) {
  for (size_t step = 0; step < kWords; step += kStep) {
    uint64_t differs = 0;
    for (size_t i = step; i < step + kStep; ++i) {
      const uint64_t word_a = WordAt(a, i), word_b = WordAt(b, i);
      const bool near_a = IsNear(word_a, own_a), near_b = IsNear(word_b, own_b);
      differs |= (word_a - (near_a ? own_a : 0)) ^ (word_b - (near_b ? own_b : 0));
      differs |= uint64_t{near_a != near_b};
    }
    if (differs != 0) return false;
  }
  return true;
}

void Relocate(const std::byte* page, const Relocation& relocation, std::byte* out) {
  for (size_t i = 0; i < kWords; ++i) {
    uint64_t word = WordAt(page, i);
    if (IsNear(word, relocation.from)) word += relocation.to - relocation.from;
    std::memcpy(out + i * sizeof(word), &word, sizeof(word));
  }
}

PageView RelocatedView(const PageView& page, const Relocation& relocation) {
  if (!page.readable()) return page;
  auto bytes = std::make_shared<std::array<std::byte, kPageSize>>();
  Relocate(page.data(), relocation, bytes->data());
  return PageView::Present(bytes->data(), bytes);
}

}  // namespace ktstr::archive

#include "libcore/archive/relocation.h"

#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <span>

#include "libcore/archive/checksum.h"

namespace ktstr::archive {

namespace {

constexpr size_t kWords = kPageSize / sizeof(uint64_t);

uint64_t WordAt(const std::byte* page, size_t index) {
  uint64_t word;
  std::memcpy(&word, page + index * sizeof(word), sizeof(word));
  return word;
}

// In pages, as a svarint.
uint64_t Distance(const Relocation& relocation) {
  return ZigZag(static_cast<int64_t>(relocation.to / kPageSize - relocation.from / kPageSize));
}

constexpr bool IsNear(uint64_t word, uint64_t own) {
  return word - own + kOwnReach < 2 * kOwnReach;
}

// Four words at a time, which the compiler makes of what the CPU has.
using Words = uint64_t __attribute__((vector_size(4 * sizeof(uint64_t))));
constexpr size_t kVectors = kPageSize / sizeof(Words);

__attribute__((always_inline)) inline bool EqualByWords(const std::byte* a, uint64_t own_a,
                                                        const std::byte* b, uint64_t own_b) {
  static_assert(std::has_single_bit(kOwnReach));
  constexpr int kReachBits = std::countr_zero(2 * kOwnReach);
  constexpr size_t kStep = 4;  // vectors without a branch
  for (size_t step = 0; step < kVectors; step += kStep) {
    Words differs = {};
    for (size_t i = step; i < step + kStep; ++i) {
      Words words_a, words_b;
      std::memcpy(&words_a, a + i * sizeof(Words), sizeof(Words));
      std::memcpy(&words_b, b + i * sizeof(Words), sizeof(Words));
      const Words near_a = (words_a - own_a + kOwnReach) >> kReachBits == 0;
      const Words near_b = (words_b - own_b + kOwnReach) >> kReachBits == 0;
      differs |= (words_a - (near_a & own_a)) ^ (words_b - (near_b & own_b));
      differs |= near_a ^ near_b;
    }
    if ((differs[0] | differs[1] | differs[2] | differs[3]) != 0) return false;
  }
  return true;
}

// The first word that is its own address, from index `begin` to `end`; 0 when there is none.
uint64_t OwnAmong(const std::byte* page, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) {
    const uint64_t word = WordAt(page, i);
    const bool own = word % kPageSize == i * sizeof(word) && static_cast<int64_t>(word) < 0;
    if (own) return word - i * sizeof(word);
  }
  return 0;
}

__attribute__((always_inline)) inline uint64_t OwnByWords(const std::byte* page) {
  constexpr uint64_t kSign = uint64_t{1} << 63;
  constexpr size_t kStep = 4, kLanes = sizeof(Words) / sizeof(uint64_t);
  Words own = {kSign, kSign | 8, kSign | 16, kSign | 24};
  for (size_t step = 0; step < kVectors; step += kStep) {
    Words found = {};
    for (size_t i = step; i < step + kStep; ++i) {
      Words words;
      std::memcpy(&words, page + i * sizeof(Words), sizeof(Words));
      found |= (words & (kSign | (kPageSize - 1))) == own;
      own += sizeof(Words);
    }
    if ((found[0] | found[1] | found[2] | found[3]) == 0) continue;
    // At the very beginning of a page any page's address would do.
    const size_t begin = step == 0 ? 1 : step * kLanes;
    if (const uint64_t address = OwnAmong(page, begin, (step + kStep) * kLanes)) return address;
  }
  return 0;
}

#ifdef __x86_64__
bool HasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}

__attribute__((target("avx2"))) uint64_t OwnByAvx2(const std::byte* page) {
  return OwnByWords(page);
}

__attribute__((target("avx2"))) bool EqualByAvx2(const std::byte* a, uint64_t own_a,
                                                 const std::byte* b, uint64_t own_b) {
  return EqualByWords(a, own_a, b, own_b);
}
#endif

}  // namespace

void PutRelocation(const Relocation& relocation, ByteSink& sink) {
  sink.PutVarint(relocation.from / kPageSize);
  sink.PutVarint(Distance(relocation));
}

size_t RelocationSize(const Relocation& relocation) {
  return VarintSize(relocation.from / kPageSize) + VarintSize(Distance(relocation));
}

std::optional<Relocation> GetRelocation(uint64_t pages, ByteSource& source) {
  constexpr uint64_t kEnd = uint64_t{1} << (64 - kPageShift);
  const uint64_t from = source.GetVarint();
  const uint64_t to = from + static_cast<uint64_t>(UnZigZag(source.GetVarint()));
  if (!source.ok() || from >= kEnd || to >= kEnd || pages > kEnd - to) return std::nullopt;
  return Relocation{from * kPageSize, to * kPageSize};
}

uint64_t OwnAddress(const std::byte* page) {
#ifdef __x86_64__
  if (HasAvx2()) return OwnByAvx2(page);
#endif
  return OwnByWords(page);
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
#ifdef __x86_64__
  if (HasAvx2()) return EqualByAvx2(a, own_a, b, own_b);
#endif
  return EqualByWords(a, own_a, b, own_b);
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

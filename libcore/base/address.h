// Addresses of the guest. Each kind is a type of its own: none converts to another, to an integer
// or to a pointer of ours by accident.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace ktstr {

inline constexpr uint64_t kPageShift = 12;
inline constexpr uint64_t kPageSize = uint64_t{1} << kPageShift;

// A 64-bit address of one kind. Arithmetic is modulo 2^64, as it is in the guest.
template <typename Kind>
class Address {
 public:
  constexpr Address() = default;
  constexpr explicit Address(uint64_t value) : value_(value) {}

  constexpr uint64_t value() const { return value_; }
  constexpr bool is_null() const { return value_ == 0; }
  constexpr uint64_t page_offset() const { return value_ & (kPageSize - 1); }

  friend constexpr auto operator<=>(Address, Address) = default;
  friend constexpr Address operator+(Address a, uint64_t n) { return Address(a.value_ + n); }
  friend constexpr Address operator-(Address a, uint64_t n) { return Address(a.value_ - n); }
  // The distance from b to a, in bytes.
  friend constexpr uint64_t operator-(Address a, Address b) { return a.value_ - b.value_; }
  constexpr Address& operator+=(uint64_t n) {
    value_ += n;
    return *this;
  }

 private:
  uint64_t value_ = 0;
};

// A guest virtual address as the running kernel uses it (KASLR applied).
using Kva = Address<struct KvaKind>;
// An address as the linker wrote it into vmlinux (KASLR not applied).
using LinkKva = Address<struct LinkKvaKind>;
// A guest-physical address, in bytes.
using Pa = Address<struct PaKind>;

// A guest-physical page frame number: Pa / 4096.
class Pfn {
 public:
  constexpr Pfn() = default;
  constexpr explicit Pfn(uint64_t value) : value_(value) {}
  static constexpr Pfn Of(Pa pa) { return Pfn(pa.value() >> kPageShift); }

  constexpr uint64_t value() const { return value_; }
  // The address of the frame's first byte.
  constexpr Pa pa() const { return Pa(value_ << kPageShift); }

  friend constexpr auto operator<=>(Pfn, Pfn) = default;
  friend constexpr Pfn operator+(Pfn a, uint64_t n) { return Pfn(a.value_ + n); }
  friend constexpr uint64_t operator-(Pfn a, Pfn b) { return a.value_ - b.value_; }

 private:
  uint64_t value_ = 0;
};

}  // namespace ktstr

template <typename Kind>
struct std::hash<ktstr::Address<Kind>> {
  size_t operator()(ktstr::Address<Kind> a) const { return std::hash<uint64_t>()(a.value()); }
};
template <>
struct std::hash<ktstr::Pfn> {
  size_t operator()(ktstr::Pfn p) const { return std::hash<uint64_t>()(p.value()); }
};

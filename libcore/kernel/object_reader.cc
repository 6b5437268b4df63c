#include "libcore/kernel/object_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "libcore/base/by_page.h"

namespace ktstr {

// The page that holds `kva`, as a pointer to its first byte.
Result<const std::byte*> ObjectReader::PageAt(Kva kva) {
  const uint64_t number = kva.value() >> kPageShift;
  CachedPage& cached = pages_[number % pages_.size()];
  if (cached.number != number) {
    const Pa pa = KTSTR_TRY(kernel_->Translate(kva));
    PageView view = kernel_->memory().View(Pfn::Of(pa));
    if (!view.readable()) return Fail(GuestMemory::UnreadableError(pa, view));
    cached = {number, std::move(view)};
  }
  return cached.view.data();
}

Status ObjectReader::Read(uint64_t offset, std::span<std::byte> out) {
  const Kva begin = base_ + offset;
  return ForEachPage(begin, out.size(), [&](Kva at, uint64_t size) -> Status {
    const std::byte* page = KTSTR_TRY(PageAt(at));
    std::memcpy(out.data() + (at - begin), page + at.page_offset(), size);
    return {};
  });
}

int64_t DecodeInteger(uint64_t raw, const Member& member) {
  const uint32_t bits =
      member.is_bit_field() ? member.bit_size : static_cast<uint32_t>(member.size * 8);
  // To the top and back: cuts the neighbours off and extends the sign where there is one.
  const uint64_t high = raw >> member.bit_offset << (64 - bits);
  return member.is_signed ? static_cast<int64_t>(high) >> (64 - bits)
                          : static_cast<int64_t>(high >> (64 - bits));
}

Result<int64_t> ObjectReader::Integer(const Member& member) {
  if (member.size == 0 || member.size > sizeof(uint64_t)) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("a member of {} bytes is not an integer", member.size));
  }
  uint64_t raw = 0;
  KTSTR_TRY(Read(member.offset, std::as_writable_bytes(std::span(&raw, 1)).first(member.size)));
  return DecodeInteger(raw, member);
}

Result<uint64_t> ObjectReader::Unsigned(const Member& member) {
  return static_cast<uint64_t>(KTSTR_TRY(Integer(member)));
}

Result<Kva> ObjectReader::Pointer(const Member& member) { return Kva(KTSTR_TRY(Unsigned(member))); }

Result<std::string> ObjectReader::Text(const Member& member) {
  // Names in structures have some bytes; what a guest's types say can be anything.
  constexpr uint64_t kMaxText = uint64_t{1} << 20;
  if (member.size > kMaxText) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("a member of {} bytes is not a text", member.size));
  }
  std::string text(member.size, '\0');
  KTSTR_TRY(Read(member.offset, std::as_writable_bytes(std::span(text))));
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

}  // namespace ktstr

#include "libcore/walk/stack/kernel_orc.h"

#include <fmt/format.h>

#include <cstddef>
#include <span>
#include <vector>

namespace ktstr {

// The table lies between the symbols __start_orc_unwind_ip and __stop_orc_unwind_ip (where pieces
// of text begin, each as a signed distance from its own place) and __start_orc_unwind and
// __stop_orc_unwind (an entry for each). It is in order, so that an address is found by halving.
// Where to begin with that says orc_lookup, which the kernel fills when it boots (unwind_init() in
// arch/x86/kernel/unwind_orc.c): a number for each 256 bytes of text from _stext on
// (LOOKUP_BLOCK_SIZE in arch/x86/include/asm/orc_lookup.h). It is a hint only: whether the address
// lies between the ends is looked at, and the whole table is halved where it does not.

namespace {

constexpr uint64_t kMaxKernelOrc = uint64_t{256} << 20;
constexpr uint64_t kOrcLookupBlock = 256;

struct OrcExtent {
  Kva begin;
  uint64_t size = 0;
};

Result<OrcExtent> OrcExtentBetween(const GuestKernel& kernel, const char* begin, const char* end) {
  const Kva from = KTSTR_TRY(kernel.symbol_kva(begin));
  const Kva to = KTSTR_TRY(kernel.symbol_kva(end));
  if (to < from || to - from > kMaxKernelOrc) {
    return Fail(ErrorCode::kDamaged, fmt::format("the ORC table from {:#x} to {:#x} cannot be",
                                                 from.value(), to.value()));
  }
  return OrcExtent{from, to - from};
}

Result<std::vector<std::byte>> ReadOrcBytes(const GuestKernel& kernel, Kva at, uint64_t size) {
  std::vector<std::byte> bytes(size);
  KTSTR_TRY(kernel.Read(at, bytes));
  return bytes;
}

}  // namespace

Result<KernelOrc> KernelOrc::Open(const GuestKernel& kernel, const OrcFormat& format) {
  KernelOrc orc(kernel, format);
  const OrcExtent ips =
      KTSTR_TRY(OrcExtentBetween(kernel, "__start_orc_unwind_ip", "__stop_orc_unwind_ip"));
  const OrcExtent entries =
      KTSTR_TRY(OrcExtentBetween(kernel, "__start_orc_unwind", "__stop_orc_unwind"));
  orc.count_ = ips.size / sizeof(int32_t);
  if (ips.size % sizeof(int32_t) != 0 || entries.size != orc.count_ * format.entry_size()) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("ORC tables of {} and {} bytes cannot be", ips.size, entries.size));
  }
  orc.ips_ = ips.begin;
  orc.entries_ = entries.begin;
  const auto text = kernel.symbol_kva("_stext");
  const auto lookup = OrcExtentBetween(kernel, "orc_lookup", "orc_lookup_end");
  if (text && lookup) {
    orc.text_ = *text;
    orc.lookup_ = lookup->begin;
    orc.blocks_ = lookup->size / sizeof(uint32_t);
  }
  return orc;
}

Result<Kva> KernelOrc::BeginOf(uint64_t index) const {
  const Kva at = ips_ + index * sizeof(int32_t);
  return at + static_cast<uint64_t>(int64_t{KTSTR_TRY(kernel_->Read<int32_t>(at))});
}

std::optional<KernelOrc::Range> KernelOrc::Hint(Kva ip) const {
  if (ip < text_) return std::nullopt;
  const uint64_t block = (ip - text_) / kOrcLookupBlock;
  if (block + 1 >= blocks_) return std::nullopt;
  const Kva at = lookup_ + block * sizeof(uint32_t);
  const auto first = kernel_->Read<uint32_t>(at);
  const auto last = kernel_->Read<uint32_t>(at + sizeof(uint32_t));
  if (!first || !last || *first > *last || *last >= count_) return std::nullopt;
  return Range{*first, uint64_t{*last} + 1};
}

Result<std::optional<OrcEntry>> KernelOrc::Find(Kva ip) const {
  Range range = {0, count_};
  if (const auto hint = Hint(ip)) {
    const bool is_behind = KTSTR_TRY(BeginOf(hint->begin)) <= ip;
    const bool is_before = hint->end == count_ || KTSTR_TRY(BeginOf(hint->end)) > ip;
    if (is_behind && is_before) range = *hint;
  }
  // All entries before range.begin begin at `ip` or before it, that at range.end behind it.
  while (range.begin < range.end) {
    const uint64_t middle = range.begin + (range.end - range.begin) / 2;
    if (KTSTR_TRY(BeginOf(middle)) <= ip) {
      range.begin = middle + 1;
    } else {
      range.end = middle;
    }
  }
  if (range.begin == 0) return std::nullopt;
  const auto entry = KTSTR_TRY(ReadOrcBytes(
      *kernel_, entries_ + (range.begin - 1) * format_.entry_size(), format_.entry_size()));
  return format_.Decode(entry);
}

Result<OrcTable> KernelOrc::ReadWhole() const {
  const auto ips = KTSTR_TRY(ReadOrcBytes(*kernel_, ips_, count_ * sizeof(int32_t)));
  auto entries = KTSTR_TRY(ReadOrcBytes(*kernel_, entries_, count_ * format_.entry_size()));
  return OrcTable::Parse(format_, ips_, ips, std::move(entries));
}

}  // namespace ktstr

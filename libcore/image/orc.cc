#include "libcore/image/orc.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace ktstr {

// A table is two arrays of equal length, made by objtool and sorted at build time or at boot: the
// addresses at which pieces of text begin, each a signed distance from its own place, and an entry
// for each (struct orc_entry, arch/x86/include/asm/orc_types.h). An entry holds for all text up to
// the next one's begin.
//
// Entries have had three layouts, told apart by their members: without `signal` (before 6.3), with
// `signal` and `end` (6.3), and without `end` (6.4 on), when the values of `type` moved. Registers
// have numbers that BTF does not tell. They were given anew in 7.1; an entry of the kernel's own,
// of which it is known what it says, tells which ones a kernel has.

namespace {

// An entry has 6 bytes; a table is of so many of them that the kernel's types must not say
// otherwise.
constexpr size_t kMaxEntry = 64;

using R = OrcRegister;
constexpr std::array kFirstNumbers = {R::kUndefined,  R::kPrevSp,    R::kDx,  R::kDi,
                                      R::kBp,         R::kSp,        R::kR10, R::kR13,
                                      R::kBpIndirect, R::kSpIndirect};
constexpr std::array kNumbersWithAx = {R::kUndefined, R::kAx,         R::kDx,        R::kSp,
                                       R::kBp,        R::kDi,         R::kR10,       R::kR13,
                                       R::kPrevSp,    R::kSpIndirect, R::kBpIndirect};

OrcRegister RegisterOf(OrcNumbering numbering, uint64_t number) {
  const std::span<const OrcRegister> numbers = numbering == OrcNumbering::kFirst
                                                   ? std::span<const OrcRegister>(kFirstNumbers)
                                                   : std::span<const OrcRegister>(kNumbersWithAx);
  return number < numbers.size() ? numbers[number] : OrcRegister::kUnknown;
}

}  // namespace

Result<OrcFormat> OrcFormat::From(const TypeInfo& types) {
  constexpr const char* kStruct = "orc_entry";
  OrcFormat format;
  format.entry_size_ = KTSTR_TRY(types.SizeOf(kStruct));
  format.sp_offset_ = KTSTR_TRY(types.FindMember(kStruct, "sp_offset"));
  format.bp_offset_ = KTSTR_TRY(types.FindMember(kStruct, "bp_offset"));
  format.sp_reg_ = KTSTR_TRY(types.FindMember(kStruct, "sp_reg"));
  format.bp_reg_ = KTSTR_TRY(types.FindMember(kStruct, "bp_reg"));
  format.type_ = KTSTR_TRY(types.FindMember(kStruct, "type"));
  if (auto signal = types.FindMember(kStruct, "signal")) format.signal_ = *signal;
  if (auto end = types.FindMember(kStruct, "end")) format.end_ = *end;
  if (format.entry_size_ == 0 || format.entry_size_ > kMaxEntry) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("struct orc_entry has {} bytes", format.entry_size_));
  }
  return format;
}

Status OrcFormat::LearnNumbering(std::span<const std::byte> null_entry) {
  const uint64_t number = Bits(null_entry, sp_reg_);
  for (const OrcNumbering numbering : {OrcNumbering::kFirst, OrcNumbering::kWithAx}) {
    if (RegisterOf(numbering, number) != OrcRegister::kSp) continue;
    numbering_ = numbering;
    return {};
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("the ORC tables number the registers in a way that is not known here: "
                          "the stack pointer is {}, not 5 or 3",
                          number));
}

// Bit fields are declared in words that reach past the packed structure's end.
uint64_t OrcFormat::Bits(std::span<const std::byte> entry, const Member& member) const {
  if (member.offset >= entry.size()) return 0;
  uint64_t word = 0;
  std::memcpy(&word, entry.data() + member.offset,
              std::min<size_t>(sizeof word, entry.size() - member.offset));
  const uint64_t bits = member.is_bit_field() ? member.bit_size : member.size * 8;
  word >>= member.bit_offset;
  return bits >= 64 ? word : word & ((uint64_t{1} << bits) - 1);
}

OrcEntry OrcFormat::Decode(std::span<const std::byte> bytes) const {
  OrcEntry entry;
  entry.sp_offset = static_cast<int16_t>(Bits(bytes, sp_offset_));
  entry.bp_offset = static_cast<int16_t>(Bits(bytes, bp_offset_));
  entry.sp_reg = RegisterOf(numbering_, Bits(bytes, sp_reg_));
  entry.bp_reg = RegisterOf(numbering_, Bits(bytes, bp_reg_));
  uint64_t type = Bits(bytes, type_);
  if (end_) {
    // Without a register to count from there is nothing, or nothing more.
    if (entry.sp_reg == OrcRegister::kUndefined) {
      type = Bits(bytes, *end_) != 0 ? 1 : 0;
    } else {
      type += static_cast<uint64_t>(OrcType::kCall);
    }
  }
  const bool known = type <= static_cast<uint64_t>(OrcType::kRegsPartial);
  entry.type = known ? static_cast<OrcType>(type) : OrcType::kUndefined;
  // Before the member came (commit ffb1b4a41016, 6.3) the type alone told.
  entry.signal = signal_ ? Bits(bytes, *signal_) != 0
                         : entry.type == OrcType::kRegs || entry.type == OrcType::kRegsPartial;
  return entry;
}

Result<OrcTable> OrcTable::Parse(const OrcFormat& format, Kva ips_at,
                                 std::span<const std::byte> ips, std::vector<std::byte> entries) {
  const size_t count = ips.size() / sizeof(int32_t);
  if (ips.size() % sizeof(int32_t) != 0 || entries.size() != count * format.entry_size()) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("ORC tables of {} and {} bytes cannot be", ips.size(), entries.size()));
  }
  OrcTable table;
  table.format_ = format;
  table.entries_ = std::move(entries);
  table.begins_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    int32_t distance;
    std::memcpy(&distance, ips.data() + i * sizeof distance, sizeof distance);
    table.begins_[i] =
        ips_at.value() + i * sizeof distance + static_cast<uint64_t>(int64_t{distance});
  }
  if (!std::is_sorted(table.begins_.begin(), table.begins_.end())) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("the ORC table at {:#x} is not in order", ips_at.value()));
  }
  return table;
}

OrcEntry OrcTable::at(size_t index) const {
  return format_.Decode(
      std::span(entries_).subspan(index * format_.entry_size(), format_.entry_size()));
}

std::optional<OrcEntry> OrcTable::Find(Kva ip) const {
  const auto after = std::upper_bound(begins_.begin(), begins_.end(), ip.value());
  if (after == begins_.begin()) return std::nullopt;
  return at(static_cast<size_t>(after - begins_.begin()) - 1);
}

}  // namespace ktstr

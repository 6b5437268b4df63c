#include "replay/gdb/orc_frames.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "replay/gdb/elf_file.h"

namespace ktstr {

// DWARF computes a "canonical frame address" (CFA) and says of each register where in memory its
// value of the caller is, counted from there. For a call the CFA is what ORC calls the previous
// stack pointer, with the return address just below. Where ORC says that a struct pt_regs or the
// processor's part of one lies there, the CFA is where that lies, and all registers in it are
// restored (struct pt_regs, arch/x86/include/asm/ptrace.h).

namespace {

// DWARF's numbers of registers (System V ABI for AMD64, figure 3.36).
enum DwarfRegister : uint8_t {
  kDwarfAx = 0,
  kDwarfDx = 1,
  kDwarfDi = 5,
  kDwarfBp = 6,
  kDwarfSp = 7,
  kDwarfR10 = 10,
  kDwarfR13 = 13,
  kDwarfReturn = 16,
};

// DW_CFA_*
constexpr uint8_t kAdvance = 0x40, kOffset = 0x80, kAdvance1 = 2, kAdvance2 = 3, kAdvance4 = 4,
                  kUndefined = 7, kSameValue = 8, kDefCfa = 0x0c, kDefCfaExpression = 0x0f,
                  kExpression = 0x10, kOffsetExtendedSf = 0x11;
// DW_OP_*
constexpr uint8_t kDeref = 0x06, kPlusUconst = 0x23, kBreg0 = 0x70;

constexpr int kDataAlign = -8;
// A debugger goes through all of a description's entries up to where it stands.
constexpr size_t kMaxEntriesTogether = 64;
constexpr size_t kMaxSection = size_t{64} << 20;

// Where registers lie in struct pt_regs, in bytes, by DWARF's numbers.
constexpr std::pair<uint8_t, int> kPtRegs[] = {
    {15, 0},        {14, 8},  {13, 16},       {12, 24},
    {kDwarfBp, 32}, {3, 40},  {11, 48},       {10, 56},
    {9, 64},        {8, 72},  {kDwarfAx, 80}, {2, 88},
    {1, 96},        {4, 104}, {5, 112},       {kDwarfReturn, 128},
    {kDwarfSp, 152}};
// What the processor pushes for an interrupt: ip, cs, flags, sp, ss.
constexpr std::pair<uint8_t, int> kPushed[] = {{kDwarfReturn, 0}, {kDwarfSp, 24}};

void AppendUnsigned(std::string& out, uint64_t value) {
  do {
    const auto low = static_cast<uint8_t>(value & 0x7f);
    value >>= 7;
    out += static_cast<char>(low | (value != 0 ? 0x80 : 0));
  } while (value != 0);
}

void AppendSigned(std::string& out, int64_t value) {
  for (;;) {
    const auto low = static_cast<uint8_t>(value & 0x7f);
    value >>= 7;
    const bool done = (value == 0 && (low & 0x40) == 0) || (value == -1 && (low & 0x40) != 0);
    out += static_cast<char>(low | (done ? 0 : 0x80));
    if (done) return;
  }
}

void AppendAt(std::string& out, uint8_t reg, int offset) {
  out += static_cast<char>(kOffsetExtendedSf);
  AppendUnsigned(out, reg);
  AppendSigned(out, offset / kDataAlign);
}

std::optional<uint8_t> DwarfRegisterOf(OrcRegister reg) {
  switch (reg) {
    case OrcRegister::kSp:
    case OrcRegister::kSpIndirect:
      return kDwarfSp;
    case OrcRegister::kBp:
    case OrcRegister::kBpIndirect:
      return kDwarfBp;
    case OrcRegister::kAx:
      return kDwarfAx;
    case OrcRegister::kDx:
      return kDwarfDx;
    case OrcRegister::kDi:
      return kDwarfDi;
    case OrcRegister::kR10:
      return kDwarfR10;
    case OrcRegister::kR13:
      return kDwarfR13;
    default:
      return std::nullopt;
  }
}

// The CFA; false where the entry does not say.
bool AppendCfa(std::string& out, const OrcEntry& orc) {
  const auto reg = DwarfRegisterOf(orc.sp_reg);
  if (!reg) return false;
  const int offset = orc.sp_offset;
  std::string expression(1, static_cast<char>(kBreg0 + *reg));
  // As Unwinder::PreviousSp: [sp] + offset, but [bp + offset].
  if (orc.sp_reg == OrcRegister::kSpIndirect) {
    AppendSigned(expression, 0);
    expression += static_cast<char>(kDeref);
    if (offset < 0) return false;  // no kernel has it
    expression += static_cast<char>(kPlusUconst);
    AppendUnsigned(expression, static_cast<uint64_t>(offset));
  } else if (orc.sp_reg == OrcRegister::kBpIndirect) {
    AppendSigned(expression, offset);
    expression += static_cast<char>(kDeref);
  } else if (offset < 0) {
    AppendSigned(expression, offset);
  } else {
    out += static_cast<char>(kDefCfa);
    AppendUnsigned(out, *reg);
    AppendUnsigned(out, static_cast<uint64_t>(offset));
    return true;
  }
  out += static_cast<char>(kDefCfaExpression);
  AppendUnsigned(out, expression.size());
  out += expression;
  return true;
}

void AppendBp(std::string& out, const OrcEntry& orc) {
  switch (orc.bp_reg) {
    case OrcRegister::kPrevSp:
      AppendAt(out, kDwarfBp, orc.bp_offset);
      return;
    case OrcRegister::kBp: {
      std::string expression(1, static_cast<char>(kBreg0 + kDwarfBp));
      AppendSigned(expression, orc.bp_offset);
      out += static_cast<char>(kExpression);
      AppendUnsigned(out, kDwarfBp);
      AppendUnsigned(out, expression.size());
      out += expression;
      return;
    }
    default:
      out += static_cast<char>(orc.bp_reg == OrcRegister::kUndefined ? kSameValue : kUndefined);
      AppendUnsigned(out, kDwarfBp);
  }
}

void AppendRules(std::string& out, const OrcEntry& orc) {
  const bool ends = orc.type == OrcType::kUndefined || orc.type == OrcType::kEndOfStack;
  if (ends || !AppendCfa(out, orc)) {
    out += static_cast<char>(kUndefined);
    AppendUnsigned(out, kDwarfReturn);
    return;
  }
  if (orc.type == OrcType::kRegs) {
    for (const auto& [reg, offset] : kPtRegs) AppendAt(out, reg, offset);
    return;
  }
  if (orc.type == OrcType::kRegsPartial) {
    for (const auto& [reg, offset] : kPushed) AppendAt(out, reg, offset);
  } else {
    AppendAt(out, kDwarfReturn, kDataAlign);
  }
  AppendBp(out, orc);
}

void AppendAdvance(std::string& out, uint64_t distance) {
  if (distance < 0x40) {
    out += static_cast<char>(kAdvance | distance);
  } else if (distance <= UINT8_MAX) {
    out += static_cast<char>(kAdvance1);
    out += static_cast<char>(distance);
  } else if (distance <= UINT16_MAX) {
    out += static_cast<char>(kAdvance2);
    AppendStruct(out, static_cast<uint16_t>(distance));
  } else {
    out += static_cast<char>(kAdvance4);
    AppendStruct(out, static_cast<uint32_t>(distance));
  }
}

// Puts an entry of the section behind the others: its length, and as many DW_CFA_nop that the next
// one is aligned.
void AppendEntry(std::string& section, std::string entry) {
  while (entry.size() % 8 != 4) entry += '\0';
  AppendStruct(section, static_cast<uint32_t>(entry.size()));
  section += entry;
}

// A common entry, as every description begins. With "S" a frame was interrupted where it stands:
// its address is not that behind a call.
std::string CommonEntry(bool signal) {
  std::string entry(4, '\xff');
  entry += '\1';  // version
  entry += signal ? std::string("zS\0", 3) : std::string(1, '\0');
  AppendUnsigned(entry, 1);  // addresses are counted in bytes
  AppendSigned(entry, kDataAlign);
  entry += static_cast<char>(kDwarfReturn);
  if (signal) AppendUnsigned(entry, 0);  // bytes of further augmentation
  entry += static_cast<char>(kDefCfa);
  AppendUnsigned(entry, kDwarfSp);
  AppendUnsigned(entry, 8);
  entry += static_cast<char>(kOffset | kDwarfReturn);
  AppendUnsigned(entry, 1);
  return entry;
}

}  // namespace

OrcFrames::OrcFrames() {
  call_cie_ = section_.size();
  AppendEntry(section_, CommonEntry(/*signal=*/false));
  signal_cie_ = section_.size();
  AppendEntry(section_, CommonEntry(/*signal=*/true));
}

void OrcFrames::Add(const OrcTable& table, Kva begin, Kva end) {
  size_t first = 0;
  while (first < table.size() && table.begin(first) < begin) ++first;
  // The entry before holds at the begin, too.
  if (first > 0 && (first == table.size() || table.begin(first) > begin)) --first;
  while (first < table.size() && table.begin(first) < end && section_.size() < kMaxSection) {
    const OrcEntry at_first = table.at(first);
    const Kind kind{at_first.type, at_first.signal};
    size_t last = first + 1;
    const auto belongs = [&](const OrcEntry& orc) { return Kind{orc.type, orc.signal} == kind; };
    while (last < table.size() && last - first < kMaxEntriesTogether && table.begin(last) < end &&
           belongs(table.at(last))) {
      ++last;
    }
    const Kva until = last < table.size() ? std::min(table.begin(last), end) : end;
    AddFrames(table, first, last, std::max(table.begin(first), begin), until);
    first = last;
  }
}

void OrcFrames::AddFrames(const OrcTable& table, size_t first, size_t last, Kva begin, Kva end) {
  if (end <= begin) return;
  const bool signal = table.at(first).signal;
  std::string entry;
  AppendStruct(entry, static_cast<uint32_t>(signal ? signal_cie_ : call_cie_));
  AppendStruct(entry, begin.value());
  AppendStruct(entry, end - begin);
  if (signal) AppendUnsigned(entry, 0);
  Kva at = begin;
  for (size_t i = first; i < last; ++i) {
    const Kva from = std::max(table.begin(i), begin);
    if (from > at) AppendAdvance(entry, from - at);
    at = from;
    AppendRules(entry, table.at(i));
  }
  AppendEntry(section_, std::move(entry));
}

}  // namespace ktstr

#include "libcore/walk/stack/unwind_rules.h"

#include <algorithm>
#include <array>

#include "libcore/walk/stack/generated_code.h"
#include "libcore/walk/stack/thunk.h"

namespace ktstr {

UnwindRules::UnwindRules(const GuestKernel& kernel, TextSymbols& text, std::optional<OrcTables> orc)
    : kernel_(&kernel), text_(&text), orc_(std::move(orc)) {
  const auto symbol = [&](const char* name) -> std::optional<Kva> {
    const auto kva = kernel.symbol_kva(name);
    return kva ? std::optional(*kva) : std::nullopt;
  };
  error_entry_ = symbol("error_entry");
  const auto begin = symbol("__entry_text_start"), end = symbol("__entry_text_end");
  if (begin && end) entry_text_ = TextRange{*begin, *end};
}

Result<UnwindRules> UnwindRules::Create(const Walk& walk, TextSymbols& text) {
  auto orc = OrcTables::Open(walk, text);
  if (!orc && orc.error().code() != ErrorCode::kNotFound) return Fail(orc.error());
  return UnwindRules(walk.kernel, text, orc ? std::optional(*std::move(orc)) : std::nullopt);
}

const CodeInfo& UnwindRules::At(Kva ip, bool exact) {
  auto& known = known_[exact ? 1 : 0];
  const auto found = known.find(ip.value());
  if (found != known.end()) return found->second;
  return known.emplace(ip.value(), Look(ip, exact)).first->second;
}

CodeInfo UnwindRules::Look(Kva ip, bool exact) {
  CodeInfo code;
  if (exact && ip.is_null()) {
    // A call through a null pointer: nothing has happened since.
    code.text = true;
    code.orc = OrcEntry{8, 0, OrcRegister::kSp, OrcRegister::kUndefined, OrcType::kCall, false};
    return code;
  }
  const Kva at = exact ? ip : ip - 1;
  const auto place = text_->Find(at);
  if (!place) return code;
  code.text = true;
  code.place = *place;
  if (orc_) {
    const auto orc = orc_->Find(at, *place);
    if (orc) code.orc = *orc;
    code.orc_unreadable = !orc;
  }
  if (place->kind == TextKind::kBpf) Generated(ip, exact, code);
  if (CodeAround around; exact && orc_ && kernel_->Read(ip - CodeAround::kBefore, around.bytes)) {
    if (const auto orc = UnwindBeyondTables(place->symbol, ip, around, error_entry_)) {
      code.orc = orc;
      code.orc_unreadable = false;
    }
  }
  const bool keeps_regs =
      code.orc && (code.orc->type == OrcType::kRegs || code.orc->type == OrcType::kRegsPartial);
  code.syscall_entry = IsSyscallEntry(place->symbol);
  code.in_entry_text = entry_text_ && entry_text_->Contains(at);
  if (keeps_regs) {
    code.kind = KindOfRegsFrame(place->symbol);
  } else if (code.syscall_entry) {
    code.kind = FrameKind::kSyscall;
  } else if (place->kind == TextKind::kBpf) {
    code.kind = FrameKind::kBpf;
  }
  return code;
}

void UnwindRules::Generated(Kva ip, bool exact, CodeInfo& code) {
  const BpfSymbol& bpf = text_->bpf()[code.place.index];
  std::array<std::byte, kGeneratedHead> head;
  const auto size = std::min<uint64_t>(head.size(), bpf.text.end - bpf.text.begin);
  if (!kernel_->Read(bpf.text.begin, std::span(head).first(size))) return;
  std::array<std::byte, 2> around = {};
  if (exact && ip > bpf.text.begin && !kernel_->Read(ip - 1, around)) return;
  code.orc = UnwindGeneratedCode(std::span(head).first(size), around, ip - bpf.text.begin, exact,
                                 bpf.name);
}

}  // namespace ktstr

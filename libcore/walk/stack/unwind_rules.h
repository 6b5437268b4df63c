// From an instruction to the rule by which it is unwound: the ORC tables of the kernel and its
// modules (orc_tables.h), rules of our own for BPF's generated code (generated_code.h), and for the
// few instructions of which the tables are wrong (thunk.h).
#pragma once

#include <optional>
#include <unordered_map>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/code/text_symbols.h"
#include "libcore/walk/stack/frame_kind.h"
#include "libcore/walk/stack/orc_tables.h"

namespace ktstr {

// Where an address of code lies and how it is unwound from.
struct CodeInfo {
  bool text = false;
  TextPlace place;
  FrameKind kind = FrameKind::kCall;
  std::optional<OrcEntry> orc;
  bool orc_unreadable = false;  // the table may have a rule, but cannot be read there
  bool in_entry_text = false;   // the kernel's lowest code, between user mode and the task's stack
  bool syscall_entry = false;   // in which rcx has the user's instruction pointer
};

class UnwindRules {
 public:
  // Errors: those of OrcTables::Open, but a kernel without ORC is none. All arguments must outlive
  // this object.
  static Result<UnwindRules> Create(const Walk& walk, TextSymbols& text);

  // `exact`: the instruction is the next one to be executed, not one behind a call. A call's return
  // address can lie behind the end of its function: the byte before it is looked up. What is
  // returned lives as long as this object.
  const CodeInfo& At(Kva ip, bool exact);

  bool has_orc() const { return orc_.has_value(); }
  TextSymbols& text() { return *text_; }

 private:
  UnwindRules(const GuestKernel& kernel, TextSymbols& text, std::optional<OrcTables> orc);
  CodeInfo Look(Kva ip, bool exact);
  void Generated(Kva ip, bool exact, CodeInfo& code);

  const GuestKernel* kernel_;
  TextSymbols* text_;
  std::optional<OrcTables> orc_;
  std::optional<Kva> error_entry_;
  std::optional<TextRange> entry_text_;
  std::unordered_map<uint64_t, CodeInfo> known_[2];  // by ip: behind a call, exact
};

}  // namespace ktstr

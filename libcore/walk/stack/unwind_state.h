// Unwinder::State: how far a stack has been walked back. For the files of Unwinder alone.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "libcore/walk/stack/unwind.h"

namespace ktstr {

struct Unwinder::State {
  Kva ip, sp;
  uint64_t bp = 0;
  bool exact = false;
  std::optional<OrcRegisters> known;
  std::span<const StackArea> stacks;
  const StackArea* on = nullptr;
  uint32_t entered = 0;  // bit by index in `stacks`
  std::optional<Kva> task;
  Unwound result;

  bool End(StackEnd end, std::string detail, std::optional<Kva> at) {
    result.end = end;
    result.detail = std::move(detail);
    result.ip = at;
    return false;
  }
  void BeginOn(Kva at) {
    for (size_t i = 0; i < stacks.size() && on == nullptr; ++i) {
      if (stacks[i].Contains(at, 8)) {
        on = &stacks[i];
        entered |= 1u << i;
      }
    }
  }
  std::optional<StackKind> KindAt(Kva at) const {
    for (const StackArea& stack : stacks) {
      if (stack.Contains(at, 8)) return stack.kind;
    }
    for (const StackArea& stack : stacks) {
      if (stack.HoldsPointer(at)) return stack.kind;
    }
    return std::nullopt;
  }
};

}  // namespace ktstr

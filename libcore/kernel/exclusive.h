// Exclusive: the right to change a guest's memory, for as long as nothing else can. A write, and a
// read whose value a later write depends on, are only possible with it: what reads, changes and
// writes back can then not be torn apart by a guest that goes on in between.
#pragma once

#include <type_traits>
#include <utility>

namespace ktstr {

// Those who can hold a machine still, and so may lend the right. Known here by name only.
class Frozen;         // capture: a live guest, stopped
class FrozenMachine;  // replay: an archive, whose guest never goes on by itself
namespace synthetic {
class StillGuest;  // fixtures: a guest without processors
}

// Exists only as the argument of a call that one of the lenders makes, while the machine stands
// still. It can be neither made nor copied nor moved nor kept by anyone else, so what asks for it
// cannot be called after the freeze.
class Exclusive {
 public:
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  friend class Frozen;
  friend class FrozenMachine;
  friend class synthetic::StillGuest;

  Exclusive() = default;

  // Calls `work(const Exclusive&)`; the right ends when that returns.
  template <typename Work>
  static auto Lend(Work&& work) {
    using Answer = std::invoke_result_t<Work, const Exclusive&>;
    static_assert(!std::is_reference_v<Answer> && !std::is_pointer_v<Answer>,
                  "what is reached by exclusive access must not leave it by reference");
    const Exclusive exclusive;
    return std::forward<Work>(work)(exclusive);
  }
};

}  // namespace ktstr

// What a session of gdb asks of the machine behind it: threads, registers, memory, words for
// people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/address.h"
#include "replay/gdb/registers.h"

namespace ktstr {

// A thread by the number that gdb is told: from 1 on.
using GdbThread = uint64_t;

// A machine that stands still. Not for use by several threads at once.
class GdbTarget {
 public:
  virtual ~GdbTarget() = default;

  // At least one, each once, in the order in which they are to be listed.
  virtual std::vector<GdbThread> Threads() = 0;
  virtual bool Has(GdbThread thread) = 0;
  // What is behind it, in a few words. Of this and all below: `thread` is one that there is.
  virtual std::string Describe(GdbThread thread) = 0;
  virtual GdbRegisterValues Registers(GdbThread thread) = 0;
  // Reads as far as there is something to read; returns how many bytes that is.
  virtual size_t Read(GdbThread thread, Kva address, std::span<std::byte> out) = 0;
  // Where vmlinux begins, so that all of it moved from where its linker put it as one; nothing
  // where that is not known, or parts of it stayed.
  virtual std::optional<Kva> KernelBegin() = 0;
  // Answers a command of a person's ("monitor" in gdb) with lines of text, errors as well.
  virtual std::string Monitor(GdbThread thread, std::string_view words) = 0;
};

}  // namespace ktstr

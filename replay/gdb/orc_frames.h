// The kernel's unwind tables (ORC) as DWARF's call frame information, by which debuggers walk
// stacks back: the same rules in the words of DWARF 5, section 6.4.
#pragma once

#include <cstdint>
#include <string>

#include "libcore/base/address.h"
#include "libcore/image/orc.h"

namespace ktstr {

// Makes a section .debug_frame.
class OrcFrames {
 public:
  OrcFrames();

  // What the table says of [begin, end): run-time addresses of text. A section of 64 MiB takes no
  // more: that of a distribution's kernel has 8 MiB, and tables can be damaged.
  void Add(const OrcTable& table, Kva begin, Kva end);

  std::string Take() && { return std::move(section_); }

 private:
  // Entries in a row that have the same of these are described together.
  struct Kind {
    OrcType type;
    bool signal;
    friend bool operator==(const Kind&, const Kind&) = default;
  };

  void AddFrames(const OrcTable& table, size_t first, size_t last, Kva begin, Kva end);

  std::string section_;
  uint64_t call_cie_ = 0, signal_cie_ = 0;  // where they stand in the section
};

}  // namespace ktstr

// A fact about the guest that was worked out rather than given, and by which method.
#pragma once

#include <string>

namespace ktstr {

struct Derivation {
  std::string name;    // what, such as "kaslr_offset"
  std::string method;  // how, such as "lstar", "idt", "vmcoreinfo", "cr3"
  std::string value;  // the result, as text: "0x…" for addresses; empty when the method found none
  bool chosen = false;  // whether this is the value in use
  std::string note;     // why the method gave none, or what it leans on; may be empty

  friend bool operator==(const Derivation&, const Derivation&) = default;
};

}  // namespace ktstr

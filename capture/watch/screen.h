// Shows blocks of lines one after the other: in place on a terminal, appended elsewhere.
#pragma once

#include <string>
#include <vector>

#include "libcore/base/output.h"

namespace ktstr {

class Screen {
 public:
  // On a terminal this takes the whole screen, until the object goes; then what was there before
  // is there again, with the last block below it.
  explicit Screen(Output& to);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Columns of the terminal at this moment; 0 when it is none.
  size_t width() const;
  // Lines that do not fit are left out, and counted in the last one. Errors: those of Output.
  Status Show(const std::vector<std::string>& lines);

 private:
  Status Append(const std::vector<std::string>& lines);

  Output& to_;
  bool terminal_;
  bool first_ = true;
  std::vector<std::string> last_;
};

}  // namespace ktstr

// Shows blocks of lines one after the other: in place on a terminal, appended elsewhere.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

class Screen {
 public:
  // On a terminal this takes the whole screen, until the object goes; then what was there before
  // is there again, with the last block below it.
  explicit Screen(std::FILE* to);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Columns of the terminal at this moment; 0 when it is none.
  size_t width() const;
  // Lines that do not fit are left out, and counted in the last one. Errors: kIo when nobody reads
  // any more.
  Status Show(const std::vector<std::string>& lines);

 private:
  Status Append(const std::vector<std::string>& lines);

  std::FILE* to_;
  bool terminal_;
  bool first_ = true;
  std::vector<std::string> last_;
};

}  // namespace ktstr

// Archives of a corpus that could not be opened while the others were asked.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

class ArchiveFailures {
 public:
  // Notes that this archive failed. Errors: the failure itself, when it ends the whole question:
  // Ctrl-C.
  Status Add(const std::string& name, const Error& error);

  bool empty() const { return failed_.empty(); }
  size_t size() const { return failed_.size(); }
  // Of the first, with its name; there must be one.
  const Error& first() const { return failed_.front(); }
  // A line for each, and of how many of `all` archives the answer lacks what is in them. Empty when
  // none failed.
  std::string Text(size_t all) const;

 private:
  std::vector<Error> failed_;  // each with its archive's name
};

}  // namespace ktstr

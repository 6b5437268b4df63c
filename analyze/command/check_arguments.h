// The options that "check" and "corpus check" share.
#pragma once

#include <string>
#include <vector>

#include "analyze/check/check.h"
#include "libcore/base/result.h"
#include "libcore/cli/options.h"

namespace ktstr {

struct CheckArguments {
  std::vector<std::string> files;  // of rules
  std::vector<std::string> only;   // names of rules
  bool built_in = false;           // besides the files
  bool tap = false;
  std::string junit;  // a file; empty: none
  std::string fail_on = "warning";
  CheckOptions options;
};

void AddCheckOptions(Options* command, CheckArguments* arguments);

// The rules of the files, or the built-in ones where no file is given. Errors: those of ReadRules;
// kInvalidArgument for a rule that is not there, and for a severity of `fail_on` that is none.
Result<std::vector<Rule>> ChooseRules(const CheckArguments& arguments);

}  // namespace ktstr

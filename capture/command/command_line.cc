#include "capture/command/command_line.h"

#include <fmt/format.h>

namespace ktstr {

Result<std::map<std::string, std::string>> ParseTags(const std::vector<std::string>& tags) {
  std::map<std::string, std::string> parsed;
  for (const std::string& tag : tags) {
    const size_t equals = tag.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no tag: write KEY=VALUE", tag));
    }
    parsed[tag.substr(0, equals)] = tag.substr(equals + 1);
  }
  return parsed;
}

}  // namespace ktstr

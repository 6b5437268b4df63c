#include "libcore/base/output_place.h"

#include <fmt/format.h>

#include <filesystem>

namespace ktstr {

Error ExistsAlready(const std::string& path, const std::string& other_way) {
  return Error(ErrorCode::kExists, fmt::format("'{}' exists already: choose another name{}{}", path,
                                               other_way.empty() ? "" : ", or ", other_way));
}

Status CheckNothingAt(const std::string& path, const std::string& other_way) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  return Fail(ExistsAlready(path, other_way));
}

}  // namespace ktstr

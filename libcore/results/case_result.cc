#include "ktstr/results/case_result.h"

#include <fmt/format.h>

#include <fstream>

namespace ktstr {

Status WriteResults(const std::filesystem::path& file, std::string_view text) {
  std::ofstream stream(file, std::ios::binary);
  stream << text;
  stream.close();
  if (stream) return {};
  return Fail(ErrorCode::kIo, fmt::format("writing '{}' failed", file.string()));
}

}  // namespace ktstr

#include "analyze/corpus/archive_failures.h"

#include <fmt/format.h>

#include "libcore/base/safe_text.h"

namespace ktstr {

Status ArchiveFailures::Add(const std::string& name, const Error& error) {
  if (error.code() == ErrorCode::kInterrupted) return Fail(error);
  failed_.emplace_back(error.code(), fmt::format("{}: {}", name, error.ToString()));
  return {};
}

std::string ArchiveFailures::Text(size_t all) const {
  if (empty()) return {};
  std::string text;
  for (const Error& error : failed_) text += SafeText(error.message()) + "\n";
  return text +
         fmt::format(
             "{} of {} archives could not be read; this answer has nothing of what is in them",
             size(), all);
}

}  // namespace ktstr

#include "capture/run/kept_verdict.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "capture/run/expectations.h"

namespace ktstr {

Result<std::string> VerdictOf(const std::filesystem::path& analyze,
                              const std::filesystem::path& archive) {
  const nlohmann::json rows = KTSTR_TRY(
      QueryArchive(analyze, archive,
                   "SELECT printf('%s (%s)', sentence, certainty) AS said FROM verdict WHERE "
                   "severity != 'info'"));
  if (rows.empty() || !rows[0].is_object()) return std::string();
  const auto said = rows[0].find("said");
  return said != rows[0].end() && said->is_string() ? said->get<std::string>() : std::string();
}

}  // namespace ktstr

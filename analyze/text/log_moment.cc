#include "analyze/text/log_moment.h"

namespace ktstr {

Result<std::optional<int64_t>> LogMoment(const Database& index) {
  const QueryResult moment = KTSTR_TRY(index.Query(
      "SELECT min(s.value) FROM verdict v, json_each(v.evidence) e, json_each(e.value, '$.seqs') s "
      "WHERE json_extract(e.value, '$.table') = 'log'"));
  const auto* seq = std::get_if<int64_t>(&moment.rows[0][0]);
  return seq == nullptr ? std::nullopt : std::optional(*seq);
}

}  // namespace ktstr

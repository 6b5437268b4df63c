// What becomes of an error in an SQL function of ours: a function "f" ends the query with it, its
// twin "try_f" adds it to the table query_anomaly and goes on.
#pragma once

#include <string>

#include "analyze/memory_sql/query_anomalies.h"
#include "libcore/base/result.h"

namespace ktstr {

enum class OnError { kFail, kNote };

// True when the error is noted and the query goes on without a value. Wrong usage always fails.
inline bool NoteError(OnError on_error, const std::string& call, const Error& error,
                      QueryAnomalies& anomalies) {
  if (on_error == OnError::kFail || error.code() == ErrorCode::kInvalidArgument) return false;
  Anomalies noted("query");
  noted.Add(error, std::nullopt, call);
  anomalies.Add(std::move(noted).Take());
  return true;
}

}  // namespace ktstr

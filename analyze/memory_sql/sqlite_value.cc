#include "analyze/memory_sql/sqlite_value.h"

#include <sqlite3.h>

namespace ktstr {

Value FromSqlite(sqlite3_value* value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
      return static_cast<int64_t>(sqlite3_value_int64(value));
    case SQLITE_FLOAT:
      return sqlite3_value_double(value);
    case SQLITE_NULL:
      return {};
    default: {
      const auto* bytes = static_cast<const char*>(sqlite3_value_blob(value));
      return bytes == nullptr ? std::string()
                              : std::string(bytes, static_cast<size_t>(sqlite3_value_bytes(value)));
    }
  }
}

void SetResult(sqlite3_context* context, const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    sqlite3_result_int64(context, *integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    sqlite3_result_double(context, *real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    sqlite3_result_text64(context, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  } else {
    sqlite3_result_null(context);
  }
}

void SetBlobResult(sqlite3_context* context, const Value& value) {
  const auto* bytes = std::get_if<std::string>(&value);
  if (bytes == nullptr) return sqlite3_result_null(context);
  sqlite3_result_blob64(context, bytes->data(), bytes->size(), SQLITE_TRANSIENT);
}

}  // namespace ktstr

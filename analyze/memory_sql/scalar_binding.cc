#include "analyze/memory_sql/scalar_binding.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "analyze/memory_sql/sqlite_value.h"
#include "libcore/base/utf8.h"

namespace ktstr {

namespace {

struct Bound {
  const ScalarFunction& function;
  OnError on_error;
  MemorySource& memory;
  QueryAnomalies& anomalies;

  std::string name() const {
    return fmt::format("{}{}", on_error == OnError::kNote ? "try_" : "", function.name);
  }
};

void Call(sqlite3_context* context, int count, sqlite3_value** values) {
  const Bound& bound = *static_cast<const Bound*>(sqlite3_user_data(context));
  std::vector<Value> arguments;
  for (int i = 0; i < count; ++i) {
    arguments.push_back(FromSqlite(values[i]));
    if (std::holds_alternative<std::monostate>(arguments.back())) {
      return sqlite3_result_null(context);
    }
  }
  // Each may read much, and SQLite asks only once in many calls.
  const Stop* stop = bound.memory.stop();
  if (stop != nullptr && stop->IsWanted()) {
    return sqlite3_result_error_code(context, SQLITE_INTERRUPT);
  }
  const auto result = bound.function.call(bound.memory, arguments);
  if (result) {
    return bound.function.gives_blob ? SetBlobResult(context, *result)
                                     : SetResult(context, *result);
  }
  const std::string call = CallText(bound.name(), arguments);
  if (NoteError(bound.on_error, call, result.error(), bound.anomalies)) {
    return sqlite3_result_null(context);
  }
  const std::string message = fmt::format("{}: {}", call, result.error().ToString());
  sqlite3_result_error(context, message.data(), static_cast<int>(message.size()));
}

}  // namespace

std::string CallText(std::string_view name, SqlArguments arguments) {
  constexpr size_t kShown = 64;  // of each argument, in bytes
  std::string text(name);
  text += '(';
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (i != 0) text += ", ";
    if (const auto* integer = std::get_if<int64_t>(&arguments[i])) text += std::to_string(*integer);
    if (const auto* real = std::get_if<double>(&arguments[i])) text += fmt::format("{}", *real);
    if (const auto* string = std::get_if<std::string>(&arguments[i])) {
      text += fmt::format("'{}'", CutAtCharacter(*string, kShown));
    }
  }
  return text + ')';
}

Status BindScalar(sqlite3* db, const ScalarFunction& function, OnError on_error,
                  MemorySource& memory, QueryAnomalies& anomalies) {
  // A machine that stands still gives the same answer each time; a note is an effect.
  const int flags = SQLITE_UTF8 | (on_error == OnError::kFail ? SQLITE_DETERMINISTIC : 0);
  const size_t most = function.parameters.size();
  for (size_t count = most - function.optional; count <= most; ++count) {
    auto* bound = new Bound{function, on_error, memory, anomalies};
    // SQLite deletes it, also when this fails.
    if (sqlite3_create_function_v2(db, bound->name().c_str(), static_cast<int>(count), flags, bound,
                                   Call, nullptr, nullptr,
                                   [](void* p) { delete static_cast<Bound*>(p); }) != SQLITE_OK) {
      return Fail(ErrorCode::kIo,
                  fmt::format("adding {} to SQLite: {}", function.name, sqlite3_errmsg(db)));
    }
  }
  return {};
}

}  // namespace ktstr

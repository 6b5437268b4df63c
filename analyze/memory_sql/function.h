// What a function of ours for SQL is: declared once, for SQLite and for the documentation. Knows
// nothing of SQLite.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "analyze/memory_sql/memory_source.h"
#include "libcore/base/result.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

using SqlArguments = std::span<const Value>;

// Its last `optional` parameters may be left out. NULL for any argument gives NULL.
struct ScalarFunction {
  std::string_view name;
  std::vector<std::string_view> parameters;
  size_t optional = 0;
  std::string_view meaning;
  Result<Value> (*call)(MemorySource&, SqlArguments);
  bool gives_blob = false;
};

struct FunctionRows {
  std::vector<std::vector<Value>> rows;
  std::vector<AnomalyRow> anomalies;
};

// NULL for any argument gives no rows.
struct TableFunction {
  std::string_view name;
  std::vector<std::string_view> parameters;
  std::string_view meaning;
  std::vector<ColumnInfo> columns;
  std::function<Result<FunctionRows>(MemorySource&, SqlArguments)> call;
};

// An argument as an address: an integer, or text "0x…". Errors: kInvalidArgument, with `parameter`.
Result<Kva> KvaArgument(const Value& argument, std::string_view parameter);
// As a count from 0 to `max`. Errors: kInvalidArgument.
Result<uint64_t> CountArgument(const Value& argument, std::string_view parameter, uint64_t max);
// As text. Errors: kInvalidArgument.
Result<std::string> TextArgument(const Value& argument, std::string_view parameter);

}  // namespace ktstr

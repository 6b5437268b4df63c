// What can be asked: tables and functions, from their declarations.
#pragma once

#include <string>

#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

// Every table, view and function with its meaning: kind, name, meaning.
QueryResult SchemaList();

struct Schema {
  std::string heading;  // "NAME: MEANING", of functions with their parameters
  QueryResult columns;  // name, type, unit, meaning; none for a function that gives one value
};

// Of a table, view or function. Errors: kInvalidArgument, with the nearest name.
Result<Schema> SchemaOf(const std::string& name);

}  // namespace ktstr

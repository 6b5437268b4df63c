// All functions over the frozen memory, by family.
#pragma once

#include <vector>

#include "analyze/memory_sql/function.h"

namespace ktstr {

std::vector<ScalarFunction> ReadFunctions();
std::vector<ScalarFunction> TypeFunctions();
std::vector<ScalarFunction> SymbolFunctions();
std::vector<TableFunction> TableFunctions();

}  // namespace ktstr

// Tables as JSON for the page: column by column, each with its declaration, texts that repeat said
// once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analyze/index/database.h"
#include "analyze/text/shared_texts.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

// A JSON string of any bytes, made safe to show (SafeText).
std::string JsonText(std::string_view text);

// A JSON array of all of them, by number.
std::string TextsJson(const SharedTexts& texts);

// An array of columns: {"name", "unit", "meaning", "values"}, and "shared" where the values are
// numbers of shared texts. Units and meanings are those of equally named columns in `sources`;
// other columns have the unit that their name ends with ("_ns", "_ms", "_bytes"). NULL is null.
std::string ColumnsJson(const QueryResult& rows, const std::vector<const TableInfo*>& sources,
                        SharedTexts& texts);

}  // namespace ktstr

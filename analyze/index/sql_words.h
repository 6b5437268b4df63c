// The words of SQL: what a statement could name, without parsing it.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace ktstr {

// The words, in small letters as SQLite compares names of tables and columns. More than the
// statement names (texts, comments, keywords, aliases), and never less.
std::set<std::string, std::less<>> SqlWords(std::string_view sql);

}  // namespace ktstr

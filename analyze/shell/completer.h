// What a word that is being typed may become. Knows nothing of terminals.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/index/database.h"

namespace ktstr {

struct Completions {
  size_t typed = 0;                // of the word there is so far, in bytes
  std::vector<std::string> words;  // whole, sorted, each once
};

// Where the cursor is: in the last line of a statement.
struct CursorContext {
  std::string_view statement;  // the lines before
  std::string_view before;     // of this line, before the cursor
  std::string_view after;
};

class Completer {
 public:
  // SQL as this connection has it; `commands` with their dot.
  // `types` gives the names of the kernel's types, when they are asked for.
  using Types = std::function<std::vector<std::string>()>;
  Completer(const Database& index, std::vector<std::string> commands, Types types = nullptr);

  Completions Complete(const CursorContext& context) const;

 private:
  std::vector<std::string> CommandWords(std::string_view line, size_t word_begin) const;
  std::vector<std::string> SqlWords(const CursorContext& context, std::string_view word) const;

  std::vector<std::string> commands_, keywords_, functions_;
  Types types_;
};

// The part that all begin with, whatever the case: as the first one writes it.
std::string CommonPrefix(const std::vector<std::string>& words);

}  // namespace ktstr

// Statements of SQL out of the lines in which they are written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ktstr {

struct Statement {
  std::string text;  // without its ';', comments before it and blanks around it
  int line = 1;      // of the input, in which it begins
};

// A ';' ends a statement where it is neither quoted nor in a comment. What is nothing but blanks
// and comments is no statement.
class StatementSplitter {
 public:
  // `line` has no newline.
  void AddLine(std::string_view line);
  // The next statement that is whole.
  std::optional<Statement> Next();
  // At the end of the input: a last one whose ';' is missing.
  std::optional<Statement> TakeRest();
  // Whether a statement was begun and is not whole.
  bool has_begun() const { return has_content_ || state_ == State::kBlockComment; }
  // What was added since the last statement.
  std::string_view rest() const { return text_; }
  // Forgets what was begun.
  void Clear();

 private:
  // Takes one character at `at_`; true at the end of a statement.
  bool Step();
  // What was begun, up to text_[size].
  Statement Take(size_t size) const;

  enum class State { kPlain, kQuoted, kLineComment, kBlockComment };

  std::string text_;
  size_t at_ = 0;
  State state_ = State::kPlain;
  char quote_ = 0;            // what ends kQuoted
  bool has_content_ = false;  // of the statement that was begun
  int line_ = 0;              // of the last one that was added
  int line_at_ = 1;           // of text_[at_]
  size_t begin_ = 0;          // where in text_ the statement that was begun begins
  int begin_line_ = 1;        // and in which line
};

}  // namespace ktstr

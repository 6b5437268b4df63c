#include "analyze/shell/statement_splitter.h"

#include <utility>

namespace ktstr {

namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// What ends what this begins; 0 when it begins nothing.
char EndOfQuote(char begin) {
  if (begin == '[') return ']';
  return begin == '\'' || begin == '"' || begin == '`' ? begin : '\0';
}

}  // namespace

void StatementSplitter::AddLine(std::string_view line) {
  ++line_;
  if (text_.empty()) line_at_ = line_;
  text_ += line;
  text_ += '\n';
}

bool StatementSplitter::Step() {
  const char c = text_[at_];
  const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
  ++at_;
  if (c == '\n') ++line_at_;
  switch (state_) {
    case State::kQuoted:
      // A doubled quote ends one piece and begins the next.
      if (c == quote_) state_ = State::kPlain;
      return false;
    case State::kLineComment:
      if (c == '\n') state_ = State::kPlain;
      return false;
    case State::kBlockComment:
      if (c != '*' || next != '/') return false;
      ++at_;
      state_ = State::kPlain;
      return false;
    case State::kPlain:
      break;
  }
  if (c == ';') return true;
  if (c == '-' && next == '-') {
    state_ = State::kLineComment;
  } else if (c == '/' && next == '*') {
    ++at_;
    state_ = State::kBlockComment;
  } else if (!IsBlank(c)) {
    if (!has_content_) {
      begin_ = at_ - 1;
      begin_line_ = line_at_;
    }
    has_content_ = true;
    quote_ = EndOfQuote(c);
    if (quote_ != 0) state_ = State::kQuoted;
  }
  return false;
}

Statement StatementSplitter::Take(size_t size) const {
  if (!has_content_) return {};
  std::string text = text_.substr(begin_, size - begin_);
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return {std::move(text), begin_line_};
}

std::optional<Statement> StatementSplitter::Next() {
  while (at_ < text_.size()) {
    if (!Step()) continue;
    const bool is_statement = has_content_;
    Statement statement = Take(at_ - 1);
    text_.erase(0, at_);
    at_ = 0;
    has_content_ = false;
    if (is_statement) return statement;
  }
  // Between statements nothing is kept, so that what is blank does not grow.
  if (!has_content_ && state_ == State::kPlain) {
    text_.clear();
    at_ = 0;
  }
  return std::nullopt;
}

std::optional<Statement> StatementSplitter::TakeRest() {
  const bool is_statement = has_content_;
  Statement statement = Take(text_.size());
  Clear();
  if (!is_statement) return std::nullopt;
  return statement;
}

void StatementSplitter::Clear() {
  text_.clear();
  at_ = 0;
  state_ = State::kPlain;
  has_content_ = false;
}

}  // namespace ktstr

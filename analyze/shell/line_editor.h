// A line as somebody types it on a terminal: libedit, with completion and history.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "analyze/shell/completer.h"
#include "analyze/shell/line_source.h"
#include "libcore/base/result.h"

namespace ktstr {

class LineEditor : public LineSource {
 public:
  // What the word before the cursor may become.
  using Complete = std::function<Completions(std::string_view before, std::string_view after)>;

  // On standard input and output. Errors: kIo when the terminal cannot be used, kUnsupported where
  // there is no libedit.
  static Result<std::unique_ptr<LineEditor>> Make(Complete complete);
  ~LineEditor() override;
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Ctrl-C and the end of the input (Ctrl-D on an empty line) leave the terminal on a new line.
  // Ctrl-C needs an InterruptGuard, and is then cleared.
  Line Read(const std::string& prompt) override;
  // Makes it the last entry of the history.
  void Remember(const std::string& entry);

 private:
  struct Impl;
  explicit LineEditor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ktstr

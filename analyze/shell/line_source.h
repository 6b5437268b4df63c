// Where a shell's lines come from.
#pragma once

#include <cstdio>
#include <string>

namespace ktstr {

struct Line {
  enum class Kind { kText, kInterrupted, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;  // without its newline
};

class LineSource {
 public:
  virtual ~LineSource() = default;
  // The next line; `prompt` asks for it where somebody types. kInterrupted: Ctrl-C.
  virtual Line Read(const std::string& prompt) = 0;
};

// A file or a pipe.
class StreamLines : public LineSource {
 public:
  // `stream` stays the caller's.
  explicit StreamLines(std::FILE* stream) : stream_(stream) {}
  ~StreamLines() override;
  StreamLines(const StreamLines&) = delete;
  StreamLines& operator=(const StreamLines&) = delete;

  Line Read(const std::string& prompt) override;

 private:
  std::FILE* stream_;
  char* buffer_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace ktstr

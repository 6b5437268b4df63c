#include "analyze/shell/line_source.h"

#include <stdlib.h>

#include "libcore/base/interrupt_guard.h"

namespace ktstr {

StreamLines::~StreamLines() { free(buffer_); }

Line StreamLines::Read(const std::string&) {
  const ssize_t size = getline(&buffer_, &capacity_, stream_);
  if (size < 0) {
    const bool interrupted = InterruptGuard::flag().load() && feof(stream_) == 0;
    return {interrupted ? Line::Kind::kInterrupted : Line::Kind::kEnd, ""};
  }
  std::string text(buffer_, static_cast<size_t>(size));
  if (text.ends_with('\n')) text.pop_back();
  return {Line::Kind::kText, std::move(text)};
}

}  // namespace ktstr

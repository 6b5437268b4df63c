#include "libcore/ops/payload.h"

#include <fmt/format.h>

#include "libcore/base/utf8.h"

namespace ktstr {

void PayloadWriter::PutText(std::string_view text, size_t max) {
  if (text.size() > max || !IsUtf8(text)) {
    status_ = Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("a name of {} bytes that is {}", text.size(),
                    text.size() > max ? fmt::format("longer than {} bytes", max) : "no UTF-8"));
    return;
  }
  Put(static_cast<uint16_t>(text.size()));
  PutBytes(std::as_bytes(std::span(text)));
}

void PayloadWriter::PutCutText(std::string_view text, size_t max) {
  PutText(CutAtCharacter(text, max), max);
}

std::span<const std::byte> PayloadReader::Cut(size_t size) {
  if (size > rest_.size()) {
    Refuse("it ends too early");
    return {};
  }
  const auto cut = rest_.first(size);
  rest_ = rest_.subspan(size);
  return cut;
}

std::string PayloadReader::GetText(size_t max) {
  const size_t size = Get<uint16_t>();
  if (size > max) {
    Refuse(fmt::format("a text of {} bytes; the limit is {}", size, max));
    return "";
  }
  const auto bytes = Cut(size);
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!IsUtf8(text)) Refuse("a text that is no UTF-8");
  return text;
}

void PayloadReader::Refuse(std::string what) {
  if (wrong_.empty()) wrong_ = std::move(what);
  rest_ = {};
}

Status PayloadReader::Finish() {
  if (wrong_.empty() && !rest_.empty()) {
    wrong_ = fmt::format("{} bytes follow its end", rest_.size());
  }
  if (wrong_.empty()) return {};
  return Fail(ErrorCode::kDamaged, "a message that cannot be: " + wrong_);
}

}  // namespace ktstr

#include "libcore/ops/request_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "libcore/base/output.h"
#include "libcore/ops/json.h"

namespace ktstr {

namespace {

// At most one byte more than a request may have: enough to be refused.
Result<std::string> ReadText(const std::string& path) {
  const bool is_stdin = path == "-";
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(nullptr, std::fclose);
  if (!is_stdin) opened.reset(std::fopen(path.c_str(), "rb"));
  std::FILE* const file = is_stdin ? stdin : opened.get();
  if (file == nullptr) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                fmt::format("opening the request '{}': {}", path, std::strerror(errno)));
  }
  std::string text(kOpJsonMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  if (std::ferror(file) != 0) {
    return Fail(ErrorCode::kIo,
                fmt::format("reading the request '{}': {}", path, std::strerror(errno)));
  }
  return text;
}

}  // namespace

Result<OpRequest> ReadRequestFile(const std::string& path) {
  const std::string text = KTSTR_TRY(ReadText(path));
  auto request = RequestFromJson(text);
  if (!request) {
    return Fail(std::move(request).error().Wrap(fmt::format("the request '{}'", path)));
  }
  return request;
}

Result<ExitCode> PrintReply(const OpReply& reply) {
  KTSTR_TRY(Output::Standard().Write(ToJson(reply) + "\n"));
  return reply.success ? ExitCode::kDone : ExitCode::kAnswerIsNo;
}

}  // namespace ktstr

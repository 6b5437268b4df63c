#include "libcore/base/text_file.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>

namespace ktstr {

namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Error Failed(const char* doing, const std::string& file) {
  return Error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               fmt::format("cannot {} '{}': {}", doing, file, std::strerror(errno)));
}

Status WriteStream(const std::string& file, std::string_view text) {
  File stream(std::fopen(file.c_str(), "wb"), std::fclose);
  if (!stream) return Fail(Failed("write", file));
  const bool written = std::fwrite(text.data(), 1, text.size(), stream.get()) == text.size();
  if (std::fclose(stream.release()) == 0 && written) return {};
  return Fail(Failed("write", file));
}

}  // namespace

Result<std::string> ReadTextFile(const std::string& file) {
  const File stream(std::fopen(file.c_str(), "rb"), std::fclose);
  if (!stream) return Fail(Failed("read", file));
  std::string text;
  std::array<char, 65536> buffer;
  for (size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), stream.get())) > 0;)
    text.append(buffer.data(), n);
  // A directory can be opened, but not read.
  if (std::ferror(stream.get()) != 0) return Fail(Failed("read", file));
  return text;
}

Status WriteTextFile(const std::string& file, std::string_view text, Readers readers) {
  std::error_code ignored;
  // A link stays one. What is no file (a terminal, a pipe) is written to, not replaced.
  const std::filesystem::path place = std::filesystem::weakly_canonical(file, ignored);
  const auto type = std::filesystem::status(place, ignored).type();
  const bool is_stream = std::filesystem::is_other(std::filesystem::file_status(type));
  if (place.empty() || is_stream) return WriteStream(file, text);
  Result<OutputFile> output = OutputFile::Create(place, OutputFile::Existing::kReplace,
                                                 OutputFile::Naming::kAnonymousIfPossible, readers);
  if (!output) return Fail(std::move(output).error());
  KTSTR_TRY(output->Append(std::as_bytes(std::span(text))));
  return output->Publish();
}

}  // namespace ktstr

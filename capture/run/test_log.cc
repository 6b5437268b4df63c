#include "capture/run/test_log.h"

#include <fmt/format.h>

#include "capture/system/private_file.h"
#include "capture/system/system_error.h"

namespace ktstr {

Result<TestLog> TestLog::Create(const std::filesystem::path& file) {
  UniqueFd fd = KTSTR_TRY(MakePrivateFile(file));
  std::FILE* opened = fdopen(fd.get(), "w");
  if (opened == nullptr) return FailErrno(fmt::format("creating '{}'", file.string()));
  fd.Release();  // it is the stream's
  return TestLog(opened);
}

void TestLog::Add(const std::string& line) {
  const double s = std::chrono::duration<double>(age()).count();
  AddText(fmt::format("[{:8.3f} s] {}\n", s, line));
}

void TestLog::AddText(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file_.get());
  std::fflush(file_.get());
}

}  // namespace ktstr

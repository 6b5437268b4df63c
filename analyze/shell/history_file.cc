#include "analyze/shell/history_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "libcore/base/in_the_making.h"
#include "libcore/base/private_directory.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

Status AppendLine(const fs::path& path, const std::string& lines) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, kOwnerOnly);
  if (fd < 0) {
    return Fail(ErrorCode::kIo, fmt::format("opening {}: {}", path.string(), std::strerror(errno)));
  }
  // One that was made before, by whatever means.
  (void)fchmod(fd, kOwnerOnly);
  const ssize_t written = write(fd, lines.data(), lines.size());
  close(fd);
  if (written == static_cast<ssize_t>(lines.size())) return {};
  return Fail(ErrorCode::kIo, fmt::format("writing {} failed", path.string()));
}

}  // namespace

fs::path HistoryFile::DefaultPath() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0') {
    return fs::path(state) / "ktstr" / "history";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return fs::path(home) / ".local" / "state" / "ktstr" / "history";
  }
  return {};
}

std::vector<std::string> HistoryFile::Load() const {
  std::vector<std::string> entries;
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) entries.push_back(line);
  }
  if (entries.size() <= kKept) return entries;
  const bool has_grown = entries.size() > 2 * kKept;
  entries.erase(entries.begin(), entries.end() - kKept);
  if (!has_grown) return entries;
  std::string lines;
  for (const std::string& entry : entries) lines += entry + "\n";
  std::ignore = WriteTextFile(path_, lines);
  return entries;
}

Status HistoryFile::Append(const std::string& entry) const {
  if (entry.find('\n') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "an entry of the history is one line");
  }
  KTSTR_TRY(MakePrivateDirectories(path_.parent_path()));
  return AppendLine(path_, entry + "\n");
}

}  // namespace ktstr

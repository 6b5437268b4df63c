// What was typed in earlier shells: a file with one entry a line, the last one last.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

class HistoryFile {
 public:
  // Of the user: ktstr/history in XDG_STATE_HOME, which is ~/.local/state by default. Empty when
  // there is no home either.
  static std::filesystem::path DefaultPath();

  explicit HistoryFile(std::filesystem::path path) : path_(std::move(path)) {}

  // The last entries, at most kKept; none when there is no file. Shortens a file that has grown.
  std::vector<std::string> Load() const;
  // Adds one at the end, at once: shells that run side by side lose nothing. Makes the file, for
  // its owner alone. An entry with a newline is not one. Errors: kInvalidArgument, kIo.
  Status Append(const std::string& entry) const;

  static constexpr size_t kKept = 1000;

 private:
  std::filesystem::path path_;
};

}  // namespace ktstr

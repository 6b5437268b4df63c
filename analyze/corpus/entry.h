// What a corpus says of one of its archives, besides what the archive itself says: a small TOML
// file beside it, for people, programs and version control.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

struct CorpusEntry {
  std::string digest;             // the archive's: 32 hexadecimal digits; names its files
  std::string name;               // one in the corpus
  std::string added_at;           // UTC, as 2026-01-31T12:00:00Z
  std::vector<std::string> tags;  // free-form, each a word
  std::string scenario;           // the text of the scenario that made it; may be empty
};

// A name or tag: letters, digits and . _ - + @ =, not beginning with '.' or '-'. Errors:
// kInvalidArgument; `what` names it in the message.
Status CheckWord(std::string_view what, std::string_view word);

// Errors: those of ReadTextFile; kInvalidArgument, as "FILE:LINE: …".
Result<CorpusEntry> ReadEntry(const std::filesystem::path& file);
// Replaces the file. Errors: kIo.
Status WriteEntry(const std::filesystem::path& file, const CorpusEntry& entry);

}  // namespace ktstr

// Proves: whatever a corpus' directory holds, or a pack that is to become one, opening it ends, and
// nothing is written outside of the directory.
//
// Input: a byte that chooses. Odd: a pack, whose checksums are repaired. Even: files, each a name,
// a newline and its contents, apart from each other by "|KTS|".
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "analyze/corpus/corpus.h"
#include "analyze/corpus/corpus_pack.h"
#include "analyze/corpus/expected.h"
#include "archive_checksums.h"
#include "fixtures/sample/temporary_directory.h"
#include "fuzz.h"

namespace ktstr::fuzz {
namespace {

namespace fs = std::filesystem;

void Ask(const Corpus& corpus) {
  for (const CorpusEntry& entry : corpus.entries()) {
    (void)corpus.Find(entry.name);
    (void)corpus.WithTags(entry.tags);
    const fs::path inside = fs::relative(corpus.ExpectedOf(entry), corpus.directory());
    Require(!inside.empty() && *inside.begin() != "..", "what is expected stands in the corpus");
  }
}

void Unpack(const fs::path& place, std::span<const std::byte> bytes) {
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  RepairPack(file);
  if (const auto corpus = UnpackCorpus(MemoryFile(file).path(), place / "corpus", {})) Ask(*corpus);
  const auto beside = fs::directory_iterator(place);
  Require(
      std::ranges::all_of(beside, [](const auto& e) { return e.path().filename() == "corpus"; }),
      "nothing is written outside of the directory");
}

// Of a name no more than a file's: who makes a directory can make any of them.
void WriteFiles(const fs::path& directory, std::string_view text) {
  constexpr std::string_view kSeparator = "|KTS|";
  fs::create_directories(directory / "archives");
  std::ofstream(directory / "corpus.toml") << "version = 1\n";
  for (int files = 0; !text.empty() && files < 8; ++files) {
    const std::string_view one = text.substr(0, text.find(kSeparator));
    text.remove_prefix(std::min(one.size() + kSeparator.size(), text.size()));
    std::string name(one.substr(0, std::min<size_t>(one.find('\n'), 64)));
    std::ranges::replace_if(
        name, [](char c) { return c == '/' || c == '\0'; }, '_');
    if (name.empty() || name == "." || name == "..") continue;
    std::ofstream(directory / "archives" / name)
        << one.substr(std::min(one.find('\n') + 1, one.size()));
  }
}

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  using namespace ktstr::fuzz;
  if (size == 0) return 0;
  const synthetic::TemporaryDirectory place;
  if (data[0] % 2 != 0) {
    Unpack(place.path(), AsBytes(data + 1, size - 1));
    return 0;
  }
  const std::string_view text = AsText(data + 1, size - 1);
  WriteFiles(place.path(), text);
  if (const auto corpus = Corpus::Open(place.path())) Ask(*corpus);
  (void)DifferingLines(std::string(text.substr(0, size / 2)), std::string(text.substr(size / 2)));
  return 0;
}

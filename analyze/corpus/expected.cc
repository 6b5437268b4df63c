#include "analyze/corpus/expected.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "analyze/index/index.h"
#include "analyze/text/lines.h"
#include "libcore/base/private_directory.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTable = 1 << 22;  // cells of the table of common subsequences

std::string Marked(char mark, std::string_view line) { return fmt::format("{}{}", mark, line); }

// The names of the files that are there, without suffix.
std::set<std::string> ExpectedNames(const fs::path& directory) {
  std::set<std::string> names;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(directory, ignored)) {
    if (file.path().extension() == ".csv") names.insert(file.path().stem().string());
  }
  return names;
}

}  // namespace

std::vector<std::string> DifferingLines(const std::string& expected, const std::string& found) {
  std::vector<std::string_view> a = LinesOf(expected), b = LinesOf(found);
  while (!a.empty() && !b.empty() && a.back() == b.back()) {
    a.pop_back();
    b.pop_back();
  }
  size_t same = 0;
  while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
  a.erase(a.begin(), a.begin() + long(same));
  b.erase(b.begin(), b.begin() + long(same));
  std::vector<std::string> lines;
  const size_t width = b.size() + 1;
  if ((a.size() + 1) * width > kMaxTable) {
    for (const auto& line : a) lines.push_back(Marked('-', line));
    for (const auto& line : b) lines.push_back(Marked('+', line));
    return lines;
  }
  // common[i * width + j]: length of the longest common subsequence of a[i…] and b[j…].
  std::vector<uint32_t> common((a.size() + 1) * width);
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      common[i * width + j] =
          a[i] == b[j] ? common[(i + 1) * width + j + 1] + 1
                       : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      ++i;
      ++j;
    } else if (j == b.size() ||
               (i < a.size() && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      lines.push_back(Marked('-', a[i++]));
    } else {
      lines.push_back(Marked('+', b[j++]));
    }
  }
  return lines;
}

Result<std::vector<OtherAnswer>> CompareWithExpected(const Corpus& corpus, const CorpusEntry& entry,
                                                     const std::vector<Question>& questions,
                                                     double timeout_s,
                                                     SnapshotMemoryOptions memory) {
  const Database index = KTSTR_TRY(OpenIndex(corpus.ArchiveOf(entry), {.memory = memory}));
  const fs::path directory = corpus.ExpectedOf(entry);
  std::set<std::string> left = ExpectedNames(directory);
  std::vector<OtherAnswer> differences;
  for (const Question& question : questions) {
    const auto answer = AnswerTo(question, index, timeout_s);
    const bool known = left.erase(question.name) > 0;
    OtherAnswer difference{question.name, {}, !known};
    if (!answer) {
      difference.lines = {answer.error().ToString()};
    } else if (known) {
      difference.lines =
          DifferingLines(KTSTR_TRY(ReadTextFile(directory / (question.name + ".csv"))), *answer);
    }
    if (!known || !difference.lines.empty()) differences.push_back(std::move(difference));
  }
  for (const std::string& name : left) {
    differences.push_back({name, {"an answer is expected, but there is no such question"}, false});
  }
  return differences;
}

Status UpdateExpected(const Corpus& corpus, const CorpusEntry& entry,
                      const std::vector<Question>& questions, double timeout_s,
                      SnapshotMemoryOptions memory) {
  const Database index = KTSTR_TRY(OpenIndex(corpus.ArchiveOf(entry), {.memory = memory}));
  const fs::path directory = corpus.ExpectedOf(entry);
  KTSTR_TRY(MakePrivateDirectories(directory));
  std::set<std::string> left = ExpectedNames(directory);
  for (const Question& question : questions) {
    const std::string answer = KTSTR_TRY(AnswerTo(question, index, timeout_s));
    KTSTR_TRY(WriteTextFile(directory / (question.name + ".csv"), answer));
    left.erase(question.name);
  }
  std::error_code ignored;
  for (const std::string& name : left) fs::remove(directory / (name + ".csv"), ignored);
  return {};
}

}  // namespace ktstr

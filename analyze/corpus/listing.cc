#include "analyze/corpus/listing.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>

#include "libcore/archive/reader.h"

namespace ktstr {

namespace {

std::optional<std::string> NotEmpty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

uint64_t SizeOf(const CorpusRow& row) { return uint64_t(row.bytes.value_or(0)); }

bool HasOneOf(const CorpusRow& row, const std::vector<std::string>& tags) {
  const std::string padded = fmt::format(" {} ", row.tags);
  return std::ranges::any_of(tags, [&](const std::string& tag) {
    return padded.find(fmt::format(" {} ", tag)) != std::string::npos;
  });
}

}  // namespace

const RowTable<CorpusRow>& CorpusRow::Table() {
  using R = CorpusRow;
  static const RowTable<R> table(
      "archive", "The archives of a corpus.",
      {
          Col<&R::name>("name", "", "Its name in the corpus."),
          Col<&R::bytes>("bytes", "bytes", "Size of the archive."),
          Col<&R::captured_at>("captured_at", "", "When the machine was frozen, UTC."),
          Col<&R::trigger>("trigger", "", "Why it was frozen."),
          Col<&R::release>("release", "", "Release of its kernel."),
          Col<&R::kept>("kept", "", "What of its memory was kept: all or kernel."),
          Col<&R::tags>("tags", "", "Its tags, by spaces."),
          Col<&R::has_scenario>("has_scenario", "", "1 when the scenario that made it is kept."),
          Col<&R::added_at>("added_at", "", "When it was added, UTC."),
          Col<&R::captured_at_ns>("captured_at_ns", "ns", "When it was frozen, Unix time."),
          Col<&R::digest>("digest", "", "Identity of the archive."),
      });
  return table;
}

Result<RowSet<CorpusRow>> ListCorpus(const Corpus& corpus, const std::vector<CorpusEntry>& entries,
                                     ArchiveFailures* failures) {
  RowSet<CorpusRow> set;
  for (const CorpusEntry& entry : entries) {
    const std::filesystem::path archive = corpus.ArchiveOf(entry);
    CorpusRow& row = set.rows.emplace_back();
    row.name = entry.name;
    row.digest = entry.digest;
    row.tags = fmt::format("{}", fmt::join(entry.tags, " "));
    row.added_at = entry.added_at;
    row.has_scenario = entry.scenario.empty() ? 0 : 1;
    std::error_code error;
    const uint64_t bytes = std::filesystem::file_size(archive, error);
    if (!error) row.bytes = int64_t(bytes);
    const auto reader = ArchiveReader::Open(archive);
    if (!reader) {
      KTSTR_TRY(failures->Add(entry.name, reader.error()));
      continue;
    }
    const ArchiveMetadata& metadata = (*reader)->metadata();
    if (metadata.captured_at_ns != 0) {
      row.captured_at_ns = metadata.captured_at_ns;
      row.captured_at =
          fmt::format("{:%FT%TZ}", fmt::gmtime(metadata.captured_at_ns / 1'000'000'000));
    }
    row.release = NotEmpty(metadata.kernel_release);
    row.trigger = NotEmpty(metadata.trigger);
    row.kept = NotEmpty(metadata.kept);
  }
  return set;
}

std::vector<CorpusRow> ChooseToPrune(const std::vector<CorpusRow>& rows,
                                     const PruneOptions& options, int64_t now_ns) {
  std::vector<CorpusRow> oldest_first = rows;
  std::ranges::stable_sort(oldest_first, {}, [](const CorpusRow& row) {
    return row.captured_at_ns.value_or(std::numeric_limits<int64_t>::max());
  });
  uint64_t bytes = 0;
  for (const CorpusRow& row : rows) bytes += SizeOf(row);
  std::vector<CorpusRow> chosen;
  for (const CorpusRow& row : oldest_first) {
    if (HasOneOf(row, options.keep_tags)) continue;
    const bool old = options.older_than && row.captured_at_ns &&
                     now_ns - *row.captured_at_ns > options.older_than->count();
    const bool too_much = options.max_bytes && bytes > *options.max_bytes;
    if (!old && !too_much) continue;
    bytes -= SizeOf(row);
    chosen.push_back(row);
  }
  return chosen;
}

}  // namespace ktstr

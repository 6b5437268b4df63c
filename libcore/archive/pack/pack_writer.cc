#include "libcore/archive/pack/pack_writer.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <future>

#include "libcore/archive/bytes.h"
#include "libcore/archive/pack/archive_file.h"
#include "libcore/archive/pack/page_census.h"
#include "libcore/archive/pack/page_store.h"
#include "libcore/archive/pack/recipe.h"
#include "libcore/archive/worker_pool.h"

namespace ktstr {

namespace {

using archive::ArchiveFile;
using archive::Digest;
using archive::PageCensus;
using archive::PageIndex;
using archive::Recipe;
using archive::Step;
using archive::WorkerPool;
using Bytes = std::vector<std::byte>;

constexpr uint64_t kFramesPerTask = 32;

// What is kept of an archive while others are read. It is opened anew for each step: a thousand of
// them would be a thousand open files, and what each of those says of its frames.
struct Source {
  std::string digest;
  std::optional<int> level;
  archive::PageRuns pages;  // all that it stores, of the census
};

std::span<const std::byte> PageAt(const Bytes& pages, uint64_t page) {
  return std::span(pages).subspan(page * kPageSize, kPageSize);
}

// Runs work(begin, end) over all frames, in the pool, and yields the results in order.
template <typename Work>
auto OverFrames(uint64_t frames, WorkerPool& pool, const Work& work)
    -> Result<std::vector<typename decltype(work(0, 0))::value_type>> {
  using R = decltype(work(0, 0));
  std::vector<std::future<R>> futures;
  for (uint64_t begin = 0; begin < frames; begin += kFramesPerTask) {
    const uint64_t end = std::min(begin + kFramesPerTask, frames);
    futures.push_back(pool.Run([&work, begin, end] { return work(begin, end); }));
  }
  // All of them: the threads use what the caller owns.
  std::vector<R> results;
  for (auto& future : futures) results.push_back(future.get());
  std::vector<typename R::value_type> values;
  for (R& result : results) values.push_back(KTSTR_TRY(std::move(result)));
  return values;
}

class Packer {
 public:
  Packer(const std::vector<PackedArchive>& archives, const PackOptions& options, OutputFile& file)
      : packed_(archives), options_(options), file_(file), pool_(options.threads) {}

  Status Open();
  // Which pages occur, and which of them more than once.
  Status Survey();
  Status WritePages();
  // What becomes of each archive, after it was tried.
  Status WriteRecipes();
  Status WriteFiles(const std::vector<PackedFile>& files);
  Status Finish() { return archive::AppendEnd(file_, blocks_); }

  PackSummary summary;

 private:
  using Hashes = std::vector<Digest>;

  // One archive, open, and the pages that it stores.
  struct Opened {
    ArchiveFile file;
    std::optional<int> level;
    std::vector<PageIndex> pages;

    std::span<const PageIndex> PagesOf(uint64_t frame) const {
      return std::span(pages).subspan(frame * file.PageCount(0), file.PageCount(frame));
    }
  };

  // Errors: those of ArchiveFile::Open; kIo when it is another one than before.
  Result<ArchiveFile> OpenAgain(size_t index) const;
  Result<Opened> OpenWithPages(size_t index) const;
  Result<Hashes> HashFrames(const ArchiveFile& archive, uint64_t begin, uint64_t end) const;
  // Whether the frame has a page that another archive has, too: then it is made again from pages.
  bool IsShared(const Opened& archive, uint64_t frame) const;
  // What is to be done for a memory frame, and the size of the place record that then follows.
  struct FrameStep {
    Step step;
    uint64_t record = 0;  // in bytes
  };
  Result<std::vector<FrameStep>> StepsOf(const Opened& archive, const archive::PageStore& store);
  Status AppendVerbatim(const ArchiveFile& archive, uint64_t begin, uint64_t end, Recipe* recipe);
  Result<Recipe> RecipeOf(size_t index, const archive::PageStore& store);
  void Report() {
    if (options_.progress) options_.progress(++done_, 2 * packed_.size());
  }

  const std::vector<PackedArchive>& packed_;
  const PackOptions& options_;
  OutputFile& file_;
  WorkerPool pool_;
  std::vector<archive::BlockPlace> blocks_;
  std::vector<Source> sources_;
  PageCensus census_;
  size_t done_ = 0;
};

Status Packer::Open() {
  if (packed_.size() >= PageCensus::kNobody) {
    return Fail(ErrorCode::kUnsupported, fmt::format("{} archives in one pack", packed_.size()));
  }
  for (const PackedArchive& one : packed_) {
    const ArchiveFile file = KTSTR_TRY(ArchiveFile::Open(one.path));
    Source& source = sources_.emplace_back();
    source.digest = file.digest();
    source.level = KTSTR_TRY(file.FindLevel());
    summary.archive_bytes += file.file().size();
    summary.not_rebuilt += file.frame_count() > 0 && !source.level;
  }
  return {};
}

Result<ArchiveFile> Packer::OpenAgain(size_t index) const {
  ArchiveFile file = KTSTR_TRY(ArchiveFile::Open(packed_[index].path));
  if (file.digest() == sources_[index].digest) return file;
  return Fail(InFile(file.file(), Error(ErrorCode::kIo, "it became another one meanwhile")));
}

Result<Packer::Opened> Packer::OpenWithPages(size_t index) const {
  return Opened{KTSTR_TRY(OpenAgain(index)), sources_[index].level, sources_[index].pages.Pages()};
}

Result<Packer::Hashes> Packer::HashFrames(const ArchiveFile& archive, uint64_t begin,
                                          uint64_t end) const {
  Hashes hashes;
  for (uint64_t frame = begin; frame < end; ++frame) {
    const Bytes pages = KTSTR_TRY(archive.ReadPages(frame));
    for (uint64_t p = 0; p < archive.PageCount(frame); ++p)
      hashes.push_back(archive::DigestOf(PageAt(pages, p)));
  }
  return hashes;
}

Status Packer::Survey() {
  for (size_t i = 0; i < sources_.size(); ++i) {
    const ArchiveFile file = KTSTR_TRY(OpenAgain(i));
    const auto parts =
        KTSTR_TRY(OverFrames(file.frame_count(), pool_, [&](uint64_t begin, uint64_t end) {
          return HashFrames(file, begin, end);
        }));
    for (const Hashes& part : parts) {
      for (const Digest& hash : part) {
        const PageIndex page = KTSTR_TRY(census_.Find(hash));
        sources_[i].pages.Add(page);
        if (sources_[i].level) census_.NoteUser(page, uint32_t(i));
      }
      summary.pages += part.size();
    }
    Report();
  }
  for (const Source& source : sources_) {
    summary.shared_pages += uint64_t(std::ranges::count_if(
        source.pages.Pages(), [&](PageIndex page) { return census_.use(page).shared != 0; }));
  }
  return {};
}

bool Packer::IsShared(const Opened& archive, uint64_t frame) const {
  return archive.level && std::ranges::any_of(archive.PagesOf(frame), [&](PageIndex page) {
           return census_.use(page).shared != 0;
         });
}

Status Packer::WritePages() {
  archive::PageStoreWriter writer(file_, blocks_, pool_, options_.compression_level);
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Opened archive = KTSTR_TRY(OpenWithPages(i));
    for (uint64_t frame = 0; frame < archive.file.frame_count(); ++frame) {
      if (!IsShared(archive, frame)) continue;
      const auto stored = archive.PagesOf(frame);
      const auto is_new = [&](PageIndex page) {
        return census_.use(page).number == PageCensus::kNoNumber;
      };
      if (std::ranges::none_of(stored, is_new)) continue;
      const Bytes pages = KTSTR_TRY(archive.file.ReadPages(frame));
      for (size_t p = 0; p < stored.size(); ++p) {
        if (!is_new(stored[p])) continue;
        // No more than there are in the census.
        census_.use(stored[p]).number = uint32_t(KTSTR_TRY(writer.Add(PageAt(pages, p))));
      }
    }
  }
  return writer.Finish();
}

// For each frame a step; one without pages for a frame that is to be kept as it is.
Result<std::vector<Packer::FrameStep>> Packer::StepsOf(const Opened& archive,
                                                       const archive::PageStore& store) {
  const ArchiveFile& file = archive.file;
  const auto parts = KTSTR_TRY(
      OverFrames(file.frame_count(), pool_,
                 [&](uint64_t begin, uint64_t end) -> Result<std::vector<FrameStep>> {
                   archive::PageStore::Cursor cursor(store);
                   archive::FrameCompressor compressor(archive.level.value_or(1));
                   Bytes pages;
                   std::vector<FrameStep> steps;
                   for (uint64_t frame = begin; frame < end; ++frame) {
                     auto& [step, record] = steps.emplace_back();
                     if (!IsShared(archive, frame)) continue;
                     for (const PageIndex page : archive.PagesOf(frame))
                       step.pages.push_back(census_.use(page).number);
                     Bytes again;
                     KTSTR_TRY(archive::CompressStep(step, cursor, compressor, pages, again));
                     const auto stands = KTSTR_TRY(file.ReadCompressed(frame));
                     if (again != stands.pages) step.pages.clear();
                     record = stands.record.size();
                   }
                   return steps;
                 }));
  std::vector<FrameStep> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Status Packer::AppendVerbatim(const ArchiveFile& archive, uint64_t begin, uint64_t end,
                              Recipe* recipe) {
  const Bytes bytes = KTSTR_TRY(archive.ReadBytes(begin, end));
  recipe->verbatim.insert(recipe->verbatim.end(), bytes.begin(), bytes.end());
  if (recipe->steps.empty() || !recipe->steps.back().pages.empty()) recipe->steps.emplace_back();
  recipe->steps.back().copy += bytes.size();
  return {};
}

Result<Recipe> Packer::RecipeOf(size_t index, const archive::PageStore& store) {
  const Opened archive = KTSTR_TRY(OpenWithPages(index));
  const ArchiveFile& file = archive.file;
  Recipe recipe{.name = packed_[index].name,
                .file_size = file.file().size(),
                .digest = KTSTR_TRY(file.HashWhole()),
                .level = archive.level.value_or(0),
                .zstd_version = ZSTD_versionString(),
                .steps = {},
                .verbatim = {}};
  KTSTR_TRY(AppendVerbatim(file, 0, file.frames_begin(), &recipe));
  std::vector<FrameStep> steps = KTSTR_TRY(StepsOf(archive, store));
  uint64_t at = file.frames_begin();
  for (uint64_t frame = 0; frame < steps.size(); ++frame) {
    const uint64_t end = at + file.CompressedSize(frame);
    auto& [step, record] = steps[frame];
    if (step.pages.empty()) {
      KTSTR_TRY(AppendVerbatim(file, at, end, &recipe));
    } else {
      recipe.steps.push_back(std::move(step));
      if (record > 0) KTSTR_TRY(AppendVerbatim(file, end - record, end, &recipe));
    }
    at = end;
  }
  KTSTR_TRY(AppendVerbatim(file, at, file.file().size(), &recipe));
  return recipe;
}

Status Packer::WriteRecipes() {
  const auto written = archive::InputFile::Open(KTSTR_TRY(file_.Readable()));
  if (!written) return Fail(written.error());
  const archive::PageStore store = KTSTR_TRY(archive::PageStore::Open(*written, blocks_));
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Recipe recipe = KTSTR_TRY(RecipeOf(i, store));
    const Bytes payload = KTSTR_TRY(archive::EncodeRecipe(recipe));
    blocks_.push_back(
        KTSTR_TRY(archive::AppendBlock(file_, archive::BlockType::kArchive, payload)));
    Report();
  }
  return {};
}

Status Packer::WriteFiles(const std::vector<PackedFile>& files) {
  for (const PackedFile& one : files) {
    archive::ByteSink payload;
    payload.PutVarint(one.name.size());
    payload.PutText(one.name);
    payload.PutText(one.text);
    blocks_.push_back(
        KTSTR_TRY(archive::AppendBlock(file_, archive::BlockType::kFile, payload.bytes())));
  }
  return {};
}

}  // namespace

Result<PackSummary> WritePack(const std::string& path, const std::vector<PackedArchive>& archives,
                              const std::vector<PackedFile>& files, const PackOptions& options) {
  OutputFile file = KTSTR_TRY(OutputFile::Create(path, OutputFile::Existing::kKeep));
  KTSTR_TRY(archive::AppendPackHeader(file));
  Packer packer(archives, options, file);
  KTSTR_TRY(packer.Open());
  KTSTR_TRY(packer.Survey());
  KTSTR_TRY(packer.WritePages());
  KTSTR_TRY(packer.WriteRecipes());
  KTSTR_TRY(packer.WriteFiles(files));
  KTSTR_TRY(packer.Finish());
  packer.summary.pack_bytes = file.size();
  KTSTR_TRY(file.Publish());
  return packer.summary;
}

}  // namespace ktstr

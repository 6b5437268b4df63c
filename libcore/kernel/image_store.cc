#include "libcore/kernel/image_store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <system_error>
#include <tuple>
#include <vector>

#include "libcore/base/cache_directory.h"
#include "libcore/base/private_directory.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".image";
// Of one build; more are the work of somebody who changes kernels in memory.
constexpr size_t kMostOfOneBuild = 4;
// When a file was last used is known to the day.
constexpr auto kStampAge = std::chrono::hours(24);

bool IsName(std::string_view build_id) {
  return !build_id.empty() && build_id.size() <= 128 &&
         build_id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

struct Kept {
  fs::path path;
  fs::file_time_type used;
  uint64_t size = 0;
};

// Those whose names begin and end so, the one used last first.
std::vector<Kept> FilesIn(const fs::path& directory, std::string_view prefix,
                          std::string_view suffix = kSuffix) {
  std::vector<Kept> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code gone;
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    const Kept kept{entry->path(), entry->last_write_time(gone), entry->file_size(gone)};
    if (!gone) files.push_back(kept);
  }
  std::ranges::sort(files, std::greater(),
                    [](const Kept& kept) { return std::tuple(kept.used, kept.path); });
  return files;
}

}  // namespace

std::unique_ptr<ImageStore> ImageStore::OfUser() {
  const std::string cache = UserCacheDirectory();
  return cache.empty() ? nullptr : std::make_unique<ImageStore>(fs::path(cache) / "images");
}

std::shared_ptr<const ImageFile> ImageStore::Find(const std::string& build_id,
                                                  const Fits& fits) const {
  if (!IsName(build_id)) return nullptr;
  for (const Kept& kept : FilesIn(directory_, build_id)) {
    const auto file = ImageFile::Open(kept.path);
    if (!file || !fits(**file, StoredImages(kept.path))) continue;
    const auto now = fs::file_time_type::clock::now();
    std::error_code ignored;
    if (now - kept.used > kStampAge) fs::last_write_time(kept.path, now, ignored);
    return *file;
  }
  return nullptr;
}

Result<StoredImages> ImageStore::Add(const std::string& build_id, const ImageExtents& extents,
                                     const ImageKey& key, const ImageDigest& digest,
                                     const SymbolTable& symbols, const TypeInfo* types) const {
  if (!IsName(build_id)) return Fail(ErrorCode::kInvalidArgument, "a kernel without a build ID");
  if (FilesIn(directory_, build_id).size() >= kMostOfOneBuild) {
    return Fail(ErrorCode::kExists, "there are files enough of this build");
  }
  KTSTR_TRY(MakePrivateDirectories(directory_));
  const std::string name =
      fmt::format("{}-{:02x}{}", build_id, fmt::join(std::span(digest).first(8), ""), kSuffix);
  KTSTR_TRY(ImageFile::Write(directory_ / name, extents, key, digest, symbols, types));
  Prune();
  return StoredImages(directory_ / name);
}

void ImageStore::Prune() const {
  uint64_t size = 0;
  for (const Kept& kept : FilesIn(directory_, "")) {
    size += kept.size;
    std::error_code ignored;
    if (size <= limit_) continue;
    fs::remove(kept.path, ignored);
    fs::remove(StoredImages::PathFor(kept.path), ignored);
  }
  // Another process may add to a list whose image has gone.
  for (const Kept& list : FilesIn(directory_, "", StoredImages::kSuffix)) {
    std::error_code ignored;
    const fs::path image = fs::path(list.path).replace_extension(kSuffix);
    if (!fs::exists(image, ignored)) fs::remove(list.path, ignored);
  }
}

}  // namespace ktstr

#include "libcore/archive/pack/page_store.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "libcore/archive/frame_codec.h"

namespace ktstr::archive {

namespace {

constexpr size_t kBlockBytes = kPagesPerBlock * kPageSize;

// The pages that a block says it holds; nothing when that is no number of pages.
std::optional<uint64_t> PagesIn(std::span<const std::byte> payload) {
  const unsigned long long size = ZSTD_getFrameContentSize(payload.data(), payload.size());
  const bool sensible = size != ZSTD_CONTENTSIZE_UNKNOWN && size != ZSTD_CONTENTSIZE_ERROR &&
                        size % kPageSize == 0 && size > 0 && size <= kBlockBytes;
  return sensible ? std::optional(uint64_t(size / kPageSize)) : std::nullopt;
}

}  // namespace

Result<uint64_t> PageStoreWriter::Add(std::span<const std::byte> page) {
  pages_.insert(pages_.end(), page.begin(), page.end());
  if (pages_.size() == kBlockBytes) Compress();
  // Twice as many as threads: none of them waits for this one to write.
  while (pending_.size() > 2 * size_t(pool_.threads())) KTSTR_TRY(WriteOldest());
  return count_++;
}

void PageStoreWriter::Compress() {
  pending_.push_back(
      pool_.Run([pages = std::move(pages_), level = level_]() -> Result<std::vector<std::byte>> {
        std::vector<std::byte> compressed;
        KTSTR_TRY(FrameCompressor(level).Compress(pages, compressed));
        return compressed;
      }));
  pages_ = {};
}

Status PageStoreWriter::WriteOldest() {
  const Compressed compressed = pending_.front().get();
  pending_.pop_front();
  if (!compressed) return Fail(compressed.error());
  blocks_.push_back(KTSTR_TRY(AppendBlock(file_, BlockType::kPages, *compressed)));
  return {};
}

Status PageStoreWriter::Finish() {
  if (!pages_.empty()) Compress();
  while (!pending_.empty()) KTSTR_TRY(WriteOldest());
  return {};
}

Result<PageStore> PageStore::Open(const InputFile& file, std::span<const BlockPlace> blocks) {
  PageStore store(file);
  for (const BlockPlace& block : blocks) {
    if (block.type == BlockType::kPages) store.blocks_.push_back(block);
  }
  if (store.blocks_.empty()) return store;
  // All but the last one are full.
  const std::vector<std::byte> last = KTSTR_TRY(ReadBlock(file, store.blocks_.back()));
  const auto pages = PagesIn(last);
  if (!pages) {
    return Fail(InFile(file, Error(ErrorCode::kDamaged, "its last block of pages holds none")));
  }
  store.page_count_ = (store.blocks_.size() - 1) * kPagesPerBlock + *pages;
  return store;
}

PageStore::Pages PageStore::ReadPages(uint64_t block) const {
  const std::vector<std::byte> payload = KTSTR_TRY(ReadBlock(*file_, blocks_[block]));
  const uint64_t wanted =
      block + 1 < blocks_.size() ? kPagesPerBlock : page_count_ - block * kPagesPerBlock;
  if (PagesIn(payload) != wanted) {
    return Fail(InFile(
        *file_, Error(ErrorCode::kDamaged,
                      fmt::format("the block of pages {} does not hold {} pages", block, wanted))));
  }
  auto pages = std::make_shared<std::vector<std::byte>>(wanted * kPageSize);
  KTSTR_TRY(DecompressFrame(payload, *pages));
  return std::shared_ptr<const std::vector<std::byte>>(std::move(pages));
}

struct PageStore::Cache {
  struct Kept {
    uint64_t block;
    std::shared_future<Pages> pages;
    uint64_t used_at;
  };

  // The block, or nothing: then who asks must read it and tell `reading` of it.
  std::optional<std::shared_future<Pages>> Find(uint64_t block, std::promise<Pages>& reading) {
    const std::lock_guard lock(mutex);
    const auto found = std::ranges::find(kept, block, &Kept::block);
    if (found != kept.end()) {
      found->used_at = ++now;
      return found->pages;
    }
    if (kept.size() == kCachedBlocks)
      kept.erase(std::ranges::min_element(kept, {}, &Kept::used_at));
    kept.push_back({block, reading.get_future().share(), ++now});
    return std::nullopt;
  }
  // What the system refused now it may grant later.
  void Forget(uint64_t block) {
    const std::lock_guard lock(mutex);
    std::erase_if(kept, [block](const Kept& one) { return one.block == block; });
  }

  std::mutex mutex;
  std::vector<Kept> kept;
  uint64_t now = 0;
};

PageStore::PageStore(const InputFile& file) : file_(&file), cache_(std::make_unique<Cache>()) {}
PageStore::PageStore(PageStore&&) noexcept = default;
PageStore::~PageStore() = default;

PageStore::Pages PageStore::Block(uint64_t block) const {
  std::promise<Pages> reading;
  if (const auto kept = cache_->Find(block, reading)) return kept->get();
  Pages pages = ReadPages(block);
  if (!pages) cache_->Forget(block);
  reading.set_value(pages);
  return pages;
}

Status PageStore::Cursor::Append(uint64_t page, std::vector<std::byte>& out) {
  if (page >= store_.page_count_) {
    return Fail(
        InFile(*store_.file_, Error(ErrorCode::kDamaged, fmt::format("it has no page {}", page))));
  }
  const uint64_t block = page / kPagesPerBlock;
  if (block != block_ || pages_ == nullptr) {
    pages_ = KTSTR_TRY(store_.Block(block));
    block_ = block;
  }
  const auto begin = pages_->begin() + long(page % kPagesPerBlock * kPageSize);
  out.insert(out.end(), begin, begin + long(kPageSize));
  return {};
}

}  // namespace ktstr::archive

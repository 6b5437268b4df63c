#include "libcore/archive/pack/page_store.h"

#include <fmt/format.h>
#include <zstd.h>

#include <optional>

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

Result<std::vector<std::byte>> PageStore::ReadPages(uint64_t block) const {
  const std::vector<std::byte> payload = KTSTR_TRY(ReadBlock(*file_, blocks_[block]));
  const uint64_t wanted =
      block + 1 < blocks_.size() ? kPagesPerBlock : page_count_ - block * kPagesPerBlock;
  if (PagesIn(payload) != wanted) {
    return Fail(InFile(
        *file_, Error(ErrorCode::kDamaged,
                      fmt::format("the block of pages {} does not hold {} pages", block, wanted))));
  }
  std::vector<std::byte> pages(wanted * kPageSize);
  KTSTR_TRY(DecompressFrame(payload, pages));
  return pages;
}

Status PageStore::Cursor::Append(uint64_t page, std::vector<std::byte>& out) {
  if (page >= store_.page_count_) {
    return Fail(
        InFile(*store_.file_, Error(ErrorCode::kDamaged, fmt::format("it has no page {}", page))));
  }
  const uint64_t block = page / kPagesPerBlock;
  Cached* found = nullptr;
  for (Cached& cached : cache_) {
    if (cached.block == block) found = &cached;
  }
  if (found == nullptr) {
    found = &cache_[next_];
    next_ = (next_ + 1) % cache_.size();
    found->block = UINT64_MAX;
    found->pages = KTSTR_TRY(store_.ReadPages(block));
    found->block = block;
  }
  const auto begin = found->pages.begin() + long(page % kPagesPerBlock * kPageSize);
  out.insert(out.end(), begin, begin + long(kPageSize));
  return {};
}

}  // namespace ktstr::archive

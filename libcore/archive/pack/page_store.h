// The pages of a pack, numbered from 0 in the order in which they were added.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "libcore/archive/pack/block.h"
#include "libcore/archive/worker_pool.h"
#include "libcore/base/result.h"
#include "libcore/memory/page.h"

namespace ktstr::archive {

inline constexpr uint64_t kPagesPerBlock = 256;

class PageStoreWriter {
 public:
  // All must outlive it.
  PageStoreWriter(OutputFile& file, std::vector<BlockPlace>& blocks, WorkerPool& pool, int level)
      : file_(file), blocks_(blocks), pool_(pool), level_(level) {}

  // Yields the page's number. Errors: kIo.
  Result<uint64_t> Add(std::span<const std::byte> page);
  // Errors: kIo.
  Status Finish();
  uint64_t page_count() const { return count_; }

 private:
  using Compressed = Result<std::vector<std::byte>>;

  void Compress();
  Status WriteOldest();

  OutputFile& file_;
  std::vector<BlockPlace>& blocks_;
  WorkerPool& pool_;
  int level_;
  uint64_t count_ = 0;
  std::vector<std::byte> pages_;  // of the block that is not full yet
  std::deque<std::future<Compressed>> pending_;
};

// What was written. May be used by several threads at once, each with a cursor of its own. Keeps
// the blocks that were used last, decompressed, for all of them: pages that archives share lie in
// the blocks of whichever was packed first, in another order.
class PageStore {
 public:
  // `file` must outlive it. `blocks` may hold blocks of other types. Errors: kDamaged, when the
  // blocks' sizes make no sense.
  static Result<PageStore> Open(const InputFile& file, std::span<const BlockPlace> blocks);
  PageStore(PageStore&&) noexcept;
  ~PageStore();

  uint64_t page_count() const { return page_count_; }

  class Cursor {
   public:
    explicit Cursor(const PageStore& store) : store_(store) {}
    // Copies a page to the end of `out`. Errors: kDamaged, kIo.
    Status Append(uint64_t page, std::vector<std::byte>& out);

   private:
    const PageStore& store_;
    uint64_t block_ = UINT64_MAX;
    std::shared_ptr<const std::vector<std::byte>> pages_;  // of that block
  };

 private:
  // Blocks that are kept, 1 MiB each.
  static constexpr size_t kCachedBlocks = 64;
  using Pages = Result<std::shared_ptr<const std::vector<std::byte>>>;
  struct Cache;

  explicit PageStore(const InputFile& file);
  // A block's pages; threads that want the same one at once decompress it once.
  Pages Block(uint64_t block) const;
  Pages ReadPages(uint64_t block) const;

  const InputFile* file_;
  std::vector<BlockPlace> blocks_;
  uint64_t page_count_ = 0;
  std::unique_ptr<Cache> cache_;
};

}  // namespace ktstr::archive

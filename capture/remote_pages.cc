#include "capture/remote_pages.h"

#include <algorithm>

namespace ktstr {

namespace {

// What is read at once, and how much of it is kept, in bytes: a capture's threads each go through
// a part of memory from its begin to its end, and beside that the kernel's tables are read.
constexpr uint64_t kBlockSize = 256 << 10, kSlowBlockSize = 4 << 20;
constexpr uint64_t kMostKept = 64 << 20;

}  // namespace

RemotePages::RemotePages(std::unique_ptr<RamSource> source)
    : source_(std::move(source)), block_size_(source_->slow() ? kSlowBlockSize : kBlockSize) {}

void RemotePages::SetStill(bool still) {
  still_ = still;
  Drop();
}

void RemotePages::Drop() {
  const std::lock_guard lock(mutex_);
  by_address_.clear();
  kept_.clear();
}

RemotePages::Block RemotePages::Find(uint64_t address) {
  const std::lock_guard lock(mutex_);
  const auto found = by_address_.find(address);
  if (found == by_address_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->block;
}

RemotePages::Block RemotePages::Keep(uint64_t address, Block block) {
  const std::lock_guard lock(mutex_);
  if (by_address_.contains(address)) return block;  // another thread was faster
  kept_.push_front({address, block});
  by_address_[address] = kept_.begin();
  if (kept_.size() > kMostKept / block_size_) {
    by_address_.erase(kept_.back().address);
    kept_.pop_back();
  }
  return block;
}

PageView RemotePages::View(uint64_t address, uint64_t begin, uint64_t end) {
  if (!still_) return ViewOne(address);
  const uint64_t from = std::max(begin, address / block_size_ * block_size_);
  Block block = Find(from);
  if (block == nullptr) {
    const uint64_t size = std::min(end, address / block_size_ * block_size_ + block_size_) - from;
    block = std::make_shared_for_overwrite<std::byte[]>(size);
    // A page of the block may be the one that cannot be read; the others can.
    if (!source_->Read(from, std::span(block.get(), size))) return ViewOne(address);
    block = Keep(from, std::move(block));
  }
  return PageView::Present(block.get() + (address - from), block);
}

PageView RemotePages::ViewOne(uint64_t address) {
  const Block page = std::make_shared_for_overwrite<std::byte[]>(kPageSize);
  const auto read = source_->Read(address, std::span(page.get(), kPageSize));
  if (read) return PageView::Present(page.get(), page);
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = read.error();
  return PageView::NotCaptured(LeftOutReason::kNone);
}

Status RemotePages::Write(uint64_t address, std::span<const std::byte> bytes) {
  Drop();
  return source_->Write(address, bytes);
}

std::optional<Error> RemotePages::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace ktstr

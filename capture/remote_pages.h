// Pages of a RamSource, one at a time or read ahead.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>

#include "capture/qemu/ram_source.h"
#include "libcore/memory/page.h"

namespace ktstr {

// May be used by several threads at once, but for SetStill and Write.
class RemotePages {
 public:
  explicit RemotePages(std::unique_ptr<RamSource> source);

  RamSource& source() { return *source_; }

  // While the guest stands still, pages are read by the block and kept for a while; while it runs,
  // each is read when it is asked for.
  void SetStill(bool still);

  // The page at `address`. [begin, end) is the piece of RAM that it lies in, beyond which nothing
  // is read. One that cannot be read is kNotCaptured, and failure() says why.
  PageView View(uint64_t address, uint64_t begin, uint64_t end);
  Status Write(uint64_t address, std::span<const std::byte> bytes);

  // The first error of a read.
  std::optional<Error> failure() const;

 private:
  using Block = std::shared_ptr<std::byte[]>;
  struct Kept {
    uint64_t address;
    Block block;
  };

  PageView ViewOne(uint64_t address);
  Block Find(uint64_t address);
  Block Keep(uint64_t address, Block block);
  void Drop();

  std::unique_ptr<RamSource> source_;
  uint64_t block_size_;  // in bytes
  bool still_ = false;
  mutable std::mutex mutex_;  // guards what is below
  std::list<Kept> kept_;      // the one used last is first
  std::unordered_map<uint64_t, std::list<Kept>::iterator> by_address_;
  std::optional<Error> failure_;
};

}  // namespace ktstr

#include "libcore/archive/frame_scan.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "libcore/archive/frame_codec.h"
#include "libcore/memory/page.h"

namespace ktstr::archive {

namespace {

constexpr uint64_t kMostPages = kMaxPagesPerFrame;
// The largest frame with its record, and as much again, so that the window is seldom moved.
const size_t kWindow = 2 * (ZSTD_compressBound(kMostPages * kPageSize) + kFrameSlack);

class Scanner {
 public:
  Scanner(const InputFile& file, const std::function<void(const FoundFrame&)>& found)
      : file_(file), found_(found), pages_(kMostPages * kPageSize) {}

  Status Run() {
    uint64_t at = 0;
    while (at < file_.size()) {
      KTSTR_TRY(MoveTo(at));
      const size_t length = TryFrame(at);
      at = length > 0 ? at + length : NextMagic(at + 1);
    }
    return {};
  }

 private:
  std::span<const std::byte> Rest(uint64_t at) const {
    return std::span<const std::byte>(window_).subspan(at - begin_);
  }

  // Has the largest frame that can begin at `at` in the window.
  Status MoveTo(uint64_t at) {
    const uint64_t needed = std::min<uint64_t>(kWindow / 2, file_.size() - at);
    if (at >= begin_ && at + needed <= begin_ + window_.size()) return {};
    window_.resize(std::min<uint64_t>(kWindow, file_.size() - at));
    begin_ = at;
    return file_.ReadAt(begin_, window_);
  }

  // The length of the frame and the record that begin at `at`; 0 when there are none.
  size_t TryFrame(uint64_t at) {
    const auto rest = Rest(at);
    uint32_t magic = 0;
    if (rest.size() < sizeof(magic)) return 0;
    std::memcpy(&magic, rest.data(), sizeof(magic));
    if (magic != ZSTD_MAGICNUMBER) return 0;
    const size_t size = ZSTD_findFrameCompressedSize(rest.data(), rest.size());
    if (ZSTD_isError(size)) return 0;
    const uint64_t bytes = ZSTD_getFrameContentSize(rest.data(), size);
    if (bytes == 0 || bytes > pages_.size() || bytes % kPageSize != 0) return 0;
    const auto behind = rest.subspan(size);
    const size_t record_size = PlaceRecordSize(behind);
    if (record_size == 0 || record_size > behind.size()) return 0;
    const auto record = DecodePlaceRecord(behind.first(record_size));
    if (!record) return 0;
    if (!DecompressFrame(rest.first(size), std::span(pages_).first(bytes))) return 0;
    found_({at, static_cast<uint32_t>(size), static_cast<uint32_t>(bytes / kPageSize), *record});
    return size + record_size;
  }

  // Where a Zstandard frame may begin next, as far as the window tells.
  uint64_t NextMagic(uint64_t from) const {
    const uint32_t magic = ZSTD_MAGICNUMBER;
    const auto rest = Rest(std::min(from, begin_ + window_.size()));
    const void* place = memmem(rest.data(), rest.size(), &magic, sizeof(magic));
    if (place != nullptr) {
      return from + static_cast<uint64_t>(static_cast<const std::byte*>(place) - rest.data());
    }
    // One may lie across the window's end.
    const uint64_t end = begin_ + window_.size();
    return end == file_.size() ? end : std::max(from, end - (sizeof(magic) - 1));
  }

  const InputFile& file_;
  const std::function<void(const FoundFrame&)>& found_;
  std::vector<std::byte> pages_;
  std::vector<std::byte> window_;
  uint64_t begin_ = 0;  // of the window, in the file
};

}  // namespace

Status ScanForFrames(const InputFile& file, const std::function<void(const FoundFrame&)>& found) {
  return Scanner(file, found).Run();
}

}  // namespace ktstr::archive

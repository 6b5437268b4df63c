#include "capture/live_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "capture/system/system_error.h"
#include "libcore/base/by_page.h"

namespace ktstr {

Result<std::unique_ptr<LiveMemory>> LiveMemory::Map(RamMap map) {
  std::unique_ptr<LiveMemory> memory(new LiveMemory);
  memory->files_ = std::move(map.files);
  if (map.source) memory->remote_ = std::make_unique<RemotePages>(std::move(map.source));
  for (const RamPiece& piece : map.pieces) {
    KTSTR_TRY(memory->MapPiece(piece));
    auto& regions = memory->regions_;
    if (!regions.empty() && regions.back().end == piece.begin) {
      regions.back().end = piece.end();
    } else {
      regions.push_back({piece.begin, piece.end()});
    }
  }
  return memory;
}

Status LiveMemory::MapPiece(const RamPiece& piece) {
  if (piece.file == RamPiece::kNoFile) {
    mapped_.push_back({piece, nullptr, false});
    return {};
  }
  const int fd = files_[piece.file].get();
  const uint64_t size = piece.pages * kPageSize;
  struct stat info = {};
  if (fstat(fd, &info) != 0) return FailErrno("looking at the guest's RAM file");
  if (piece.offset > uint64_t(info.st_size) || size > info.st_size - piece.offset) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the guest's RAM file has {} bytes, too few for {} bytes at {:#x}",
                            info.st_size, size, piece.offset));
  }
  const bool writable = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
  void* bytes = mmap(nullptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd,
                     static_cast<off_t>(piece.offset));
  if (bytes == MAP_FAILED) return FailErrno("mapping the guest's RAM");
  // A process that is forked from this one has no business there, and is made faster.
  madvise(bytes, size, MADV_DONTFORK);
  mapped_.push_back({piece, static_cast<std::byte*>(bytes), writable});
  return {};
}

LiveMemory::~LiveMemory() {
  for (const Mapped& mapped : mapped_) {
    if (mapped.bytes != nullptr) munmap(mapped.bytes, mapped.piece.pages * kPageSize);
  }
}

void LiveMemory::SetStill(bool still) {
  if (remote_) remote_->SetStill(still);
}

std::optional<Error> LiveMemory::failure() const {
  return remote_ ? remote_->failure() : std::nullopt;
}

const LiveMemory::Mapped* LiveMemory::Find(Pfn pfn) const {
  for (const Mapped& mapped : mapped_) {
    if (mapped.piece.begin <= pfn && pfn < mapped.piece.end()) return &mapped;
  }
  return nullptr;
}

void LiveMemory::Hide(std::vector<PlantedByte> planted) {
  planted_ = std::move(planted);
  std::ranges::sort(planted_, {}, &PlantedByte::pa);
}

bool LiveMemory::Holds(Pa pa, std::byte byte) const {
  const Mapped* mapped = Find(Pfn::Of(pa));
  if (mapped == nullptr) return false;
  const PageView page = ViewOf(*mapped, Pfn::Of(pa));
  return page.readable() && page.data()[pa.page_offset()] == byte;
}

PageView LiveMemory::ViewOf(const Mapped& mapped, Pfn pfn) const {
  const uint64_t offset = (pfn - mapped.piece.begin) * kPageSize;
  if (mapped.bytes != nullptr) return PageView::Present(mapped.bytes + offset);
  const uint64_t begin = mapped.piece.offset;
  return remote_->View(begin + offset, begin, begin + mapped.piece.pages * kPageSize);
}

void LiveMemory::Unplug(std::vector<MemoryRegion> unplugged) {
  std::vector<MemoryRegion> left;
  for (const MemoryRegion& region : regions_) {
    Pfn begin = region.begin;
    for (const MemoryRegion& hole : unplugged) {
      if (hole.end <= begin || region.end <= hole.begin) continue;
      if (begin < hole.begin) left.push_back({begin, hole.begin});
      begin = std::min(hole.end, region.end);
    }
    if (begin < region.end) left.push_back({begin, region.end});
  }
  regions_ = std::move(left);
  unplugged_ = std::move(unplugged);
}

PageView LiveMemory::View(Pfn pfn) const {
  const Mapped* mapped = Find(pfn);
  const auto hole = std::ranges::upper_bound(unplugged_, pfn, {}, &MemoryRegion::end);
  const bool is_hole = hole != unplugged_.end() && hole->Contains(pfn);
  if (mapped == nullptr || is_hole) return PageView::Outside();
  PageView page = ViewOf(*mapped, pfn);
  return planted_.empty() ? page : WithoutPlanted(std::move(page), pfn);
}

PageView LiveMemory::WithoutPlanted(PageView page, Pfn pfn) const {
  auto planted = std::ranges::lower_bound(planted_, pfn.pa(), {}, &PlantedByte::pa);
  if (planted == planted_.end() || Pfn::Of(planted->pa) != pfn || !page.readable()) return page;
  const std::shared_ptr<std::byte[]> copy = std::make_shared<std::byte[]>(kPageSize);
  std::memcpy(copy.get(), page.data(), kPageSize);
  for (; planted != planted_.end() && Pfn::Of(planted->pa) == pfn; ++planted) {
    std::byte& byte = copy[planted->pa.page_offset()];
    if (byte == kBreakpointInstruction) byte = planted->original;
  }
  return PageView::Present(copy.get(), copy);
}

Result<std::byte*> LiveMemory::Writable(Pfn pfn) {
  const Mapped* mapped = Find(pfn);
  if (mapped == nullptr) return Fail(UnreadableError(pfn.pa(), PageView::Outside()));
  if (mapped->bytes == nullptr) {
    return Fail(ErrorCode::kReadOnly, "the guest's RAM is private to QEMU, and not mapped here");
  }
  if (!mapped->writable) {
    return Fail(ErrorCode::kReadOnly, "the guest's RAM file may only be read by this user");
  }
  return mapped->bytes + (pfn - mapped->piece.begin) * kPageSize;
}

Status LiveMemory::CheckWritable(Pfn pfn) {
  const Mapped* mapped = Find(pfn);
  const bool remote = mapped != nullptr && mapped->bytes == nullptr;
  return remote ? remote_->source().CheckWritable() : GuestMemory::CheckWritable(pfn);
}

Status LiveMemory::Write(Pa pa, std::span<const std::byte> bytes) {
  return ForEachPage(pa, bytes.size(), [&](Pa at, uint64_t size) -> Status {
    const auto part = bytes.subspan(at - pa, size);
    const Mapped* mapped = Find(Pfn::Of(at));
    if (mapped == nullptr || mapped->bytes != nullptr) return GuestMemory::Write(at, part);
    return remote_->Write(mapped->piece.offset + (at - mapped->piece.begin.pa()), part);
  });
}

Pfn LiveMemory::NextTouched(Pfn from) const {
  const Pfn end = FindRegion(from)->end;
  while (from < end) {
    const RamPiece& piece = Find(from)->piece;
    const uint64_t begin = piece.offset + (from - piece.begin) * kPageSize;
    if (piece.file == RamPiece::kNoFile) {
      const uint64_t limit = piece.offset + piece.pages * kPageSize;
      const uint64_t touched = remote_->source().NextTouched(begin, limit);
      if (touched < limit) {
        return std::min(piece.begin + (touched - piece.offset) / kPageSize, end);
      }
      from = piece.end();
      continue;
    }
    const off_t data = lseek(files_[piece.file].get(), static_cast<off_t>(begin), SEEK_DATA);
    // ENXIO: only holes up to the file's end. Other errors: a file system that knows no holes.
    if (data < 0 && errno != ENXIO) return from;
    if (data >= 0) {
      const Pfn next = piece.begin + (uint64_t(data) - piece.offset) / kPageSize;
      if (next < piece.end()) return std::min(next, end);
    }
    from = piece.end();
  }
  return end;
}

uint64_t LiveMemory::MostTouched() const {
  if (remote_) return page_count();
  uint64_t bytes = 0;
  for (const UniqueFd& file : files_) {
    struct stat info = {};
    if (fstat(file.get(), &info) != 0) return page_count();
    bytes += uint64_t(info.st_blocks) * 512;  // stat(2)
  }
  return bytes / kPageSize;
}

}  // namespace ktstr

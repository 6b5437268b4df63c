#include "capture/live_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "capture/system/system_error.h"

namespace ktstr {

Result<std::unique_ptr<LiveMemory>> LiveMemory::Map(RamMap map) {
  std::unique_ptr<LiveMemory> memory(new LiveMemory);
  memory->files_ = std::move(map.files);
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
  mapped_.push_back({piece, static_cast<std::byte*>(bytes), writable});
  return {};
}

LiveMemory::~LiveMemory() {
  for (const Mapped& mapped : mapped_) munmap(mapped.bytes, mapped.piece.pages * kPageSize);
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
  return mapped != nullptr && mapped->bytes[pa - mapped->piece.begin.pa()] == byte;
}

PageView LiveMemory::View(Pfn pfn) const {
  const Mapped* mapped = Find(pfn);
  if (mapped == nullptr) return PageView::Outside();
  const std::byte* page = mapped->bytes + (pfn - mapped->piece.begin) * kPageSize;
  return planted_.empty() ? PageView::Present(page) : WithoutPlanted(page, pfn);
}

PageView LiveMemory::WithoutPlanted(const std::byte* page, Pfn pfn) const {
  auto planted = std::ranges::lower_bound(planted_, pfn.pa(), {}, &PlantedByte::pa);
  if (planted == planted_.end() || Pfn::Of(planted->pa) != pfn) return PageView::Present(page);
  const std::shared_ptr<std::byte[]> copy = std::make_shared<std::byte[]>(kPageSize);
  std::memcpy(copy.get(), page, kPageSize);
  for (; planted != planted_.end() && Pfn::Of(planted->pa) == pfn; ++planted) {
    std::byte& byte = copy[planted->pa.page_offset()];
    if (byte == kBreakpointInstruction) byte = planted->original;
  }
  return PageView::Present(copy.get(), copy);
}

Result<std::byte*> LiveMemory::Writable(Pfn pfn) {
  const Mapped* mapped = Find(pfn);
  if (mapped == nullptr) return Fail(UnreadableError(pfn.pa(), PageView::Outside()));
  if (!mapped->writable) {
    return Fail(ErrorCode::kReadOnly, "the guest's RAM file may only be read by this user");
  }
  return mapped->bytes + (pfn - mapped->piece.begin) * kPageSize;
}

Pfn LiveMemory::NextTouched(Pfn from) const {
  const Pfn end = FindRegion(from)->end;
  while (from < end) {
    const RamPiece& piece = Find(from)->piece;
    const uint64_t begin = piece.offset + (from - piece.begin) * kPageSize;
    const off_t data = lseek(files_[piece.file].get(), static_cast<off_t>(begin), SEEK_DATA);
    // ENXIO: only holes up to the file's end. Other errors: a file system that knows no holes.
    if (data < 0 && errno != ENXIO) return from;
    if (data >= 0) {
      const Pfn next = piece.begin + (uint64_t(data) - piece.offset) / kPageSize;
      if (next < piece.end()) return next;
    }
    from = piece.end();
  }
  return end;
}

}  // namespace ktstr

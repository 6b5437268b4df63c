#include "replay/vmcore/dump_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "replay/vmcore/flat_format.h"

namespace ktstr::vmcore {

namespace {

// Later pieces are written over earlier ones: makedumpfile writes its header twice.
class PieceMap {
 public:
  struct Place {
    uint64_t end, at;
  };

  void Put(uint64_t begin, uint64_t end, uint64_t at) {
    auto next = pieces_.lower_bound(begin);
    if (next != pieces_.begin()) {
      const auto before = std::prev(next);
      if (before->second.end > begin) {
        const Place old = before->second;
        before->second.end = begin;
        if (old.end > end) pieces_.emplace(end, Place{old.end, old.at + (end - before->first)});
      } else if (before->second.end == begin && Follows(*before, at)) {
        // Nearly always: a dump is written from its begin to its end.
        if (next == pieces_.end() || next->first >= end) {
          before->second.end = end;
          return;
        }
      }
    }
    for (next = pieces_.lower_bound(begin); next != pieces_.end() && next->first < end;) {
      const auto [first, old] = *next;
      next = pieces_.erase(next);
      if (old.end > end) pieces_.emplace(end, Place{old.end, old.at + (end - first)});
    }
    pieces_.emplace(begin, Place{end, at});
  }
  const std::map<uint64_t, Place>& all() const { return pieces_; }

 private:
  // Between two pieces in the file stands the header of the second, so that these never do.
  static bool Follows(const std::pair<const uint64_t, Place>& piece, uint64_t at) {
    return piece.second.at + (piece.second.end - piece.first) == at;
  }

  std::map<uint64_t, Place> pieces_;
};

}  // namespace

Result<DumpFile> DumpFile::Open(const std::string& path) {
  DumpFile dump(KTSTR_TRY(archive::InputFile::Open(path, "dump")));
  std::array<std::byte, kFlatSignature.size()> magic;
  if (dump.size_ >= kFlatHeaderSize && dump.file_.ReadAt(0, magic) &&
      std::memcmp(magic.data(), kFlatSignature.data(), magic.size()) == 0) {
    dump.flattened_ = true;
    auto read = dump.ReadPieces();
    if (!read) return Fail(InDump(dump, std::move(read).error()));
  }
  return dump;
}

Status DumpFile::ReadPieces() {
  std::array<uint64_t, 4> head;
  KTSTR_TRY(file_.ReadAt(0, std::as_writable_bytes(std::span(head))));
  const uint64_t type = FromBigEndian(head[2]), version = FromBigEndian(head[3]);
  if (type != kFlatType || version != kFlatVersion) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("it is flattened as type {} of version {}, not 1 of 1", type, version));
  }
  PieceMap pieces;
  size_ = 0;
  for (uint64_t at = kFlatHeaderSize;;) {
    std::array<uint64_t, 2> header;
    KTSTR_TRY(file_.ReadAt(at, std::as_writable_bytes(std::span(header))));
    at += sizeof header;
    const uint64_t begin = FromBigEndian(header[0]), size = FromBigEndian(header[1]);
    if (begin == kFlatEnd && size == kFlatEnd) break;
    if (size == 0 || size > file_.size() - at || begin > kFlatMostOffset) {
      return Fail(ErrorCode::kDamaged,
                  fmt::format("the piece at {:#x} says that it is {} bytes for offset {:#x}",
                              at - sizeof header, size, begin));
    }
    pieces.Put(begin, begin + size, at);
    size_ = std::max(size_, begin + size);
    at += size;
  }
  for (const auto& [begin, place] : pieces.all()) pieces_.push_back({begin, place.end, place.at});
  return {};
}

Status DumpFile::ReadAt(uint64_t offset, std::span<std::byte> out) const {
  if (offset > size_ || out.size() > size_ - offset) {
    return Fail(InDump(*this, Error(ErrorCode::kDamaged, fmt::format("it ends at {:#x}, before "
                                                                     "what should be at {:#x}",
                                                                     size_, offset))));
  }
  if (!flattened_) return file_.ReadAt(offset, out);
  auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                                [](uint64_t o, const Piece& p) { return o < p.end; });
  while (!out.empty()) {
    if (piece == pieces_.end() || offset < piece->begin) {
      const uint64_t gap = piece == pieces_.end() ? out.size() : piece->begin - offset;
      const size_t zeros = static_cast<size_t>(std::min<uint64_t>(gap, out.size()));
      std::memset(out.data(), 0, zeros);
      out = out.subspan(zeros);
      offset += zeros;
      continue;
    }
    const size_t part = static_cast<size_t>(std::min<uint64_t>(piece->end - offset, out.size()));
    KTSTR_TRY(file_.ReadAt(piece->at + (offset - piece->begin), out.first(part)));
    out = out.subspan(part);
    offset += part;
    ++piece;
  }
  return {};
}

Error InDump(const DumpFile& dump, Error error) {
  if (error.message().find(dump.name()) != std::string::npos) return error;
  return std::move(error).Wrap(dump.name() + " cannot be read");
}

}  // namespace ktstr::vmcore

#include "capture/boot/cpio_writer.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace ktstr {

namespace {

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

void CpioWriter::AddParents(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return;
  const std::string_view parent = path.substr(0, slash);
  if (!directories_.contains(parent)) AddDirectory(parent);
}

void CpioWriter::AddDirectory(std::string_view path, uint32_t permissions) {
  AddParents(path);
  directories_.emplace(path);
  AddEntry(path, S_IFDIR | permissions, {});
}

void CpioWriter::AddFile(std::string_view path, std::span<const std::byte> bytes,
                         uint32_t permissions) {
  AddParents(path);
  AddEntry(path, S_IFREG | permissions, bytes);
}

void CpioWriter::AddFile(std::string_view path, std::string_view text, uint32_t permissions) {
  AddFile(path, Bytes(text), permissions);
}

void CpioWriter::AddSymlink(std::string_view path, std::string_view target) {
  AddParents(path);
  AddEntry(path, S_IFLNK | 0777, Bytes(target));
}

void CpioWriter::AddEntry(std::string_view path, uint32_t mode, std::span<const std::byte> bytes) {
  const uint32_t links = S_ISDIR(mode) ? 2 : 1;
  // Magic, then 13 fields of 8 hexadecimal digits: inode, mode, uid, gid, links, time, size, device
  // (2), special device (2), length of the name, check (unused in this format).
  const std::string header = fmt::format(
      "070701{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}"
      "{:08X}",
      next_inode_++, mode, 0, 0, links, 0, bytes.size(), 0, 0, 0, 0, path.size() + 1, 0);
  const auto append = [this](std::span<const std::byte> more) {
    out_.insert(out_.end(), more.begin(), more.end());
  };
  append(Bytes(header));
  append(Bytes(path));
  out_.push_back(std::byte{0});
  Pad();
  append(bytes);
  Pad();
}

void CpioWriter::Pad() { out_.resize((out_.size() + 3) / 4 * 4); }

std::vector<std::byte> CpioWriter::Finish() && {
  AddEntry("TRAILER!!!", 0, {});
  return std::move(out_);
}

}  // namespace ktstr

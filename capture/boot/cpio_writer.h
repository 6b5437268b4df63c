// Writes cpio archives in the "newc" format, which the kernel unpacks as its initramfs
// (Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's sources).
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ktstr {

class CpioWriter {
 public:
  // Paths are relative to the root, without a leading slash; the directories on the way are added
  // where they are missing. Permissions are as in chmod(2).
  void AddDirectory(std::string_view path, uint32_t permissions = 0755);
  void AddFile(std::string_view path, std::span<const std::byte> bytes,
               uint32_t permissions = 0644);
  void AddFile(std::string_view path, std::string_view text, uint32_t permissions = 0644);
  void AddSymlink(std::string_view path, std::string_view target);

  // The whole archive. Nothing may be added afterwards.
  std::vector<std::byte> Finish() &&;

 private:
  void AddParents(std::string_view path);
  void AddEntry(std::string_view path, uint32_t mode, std::span<const std::byte> bytes);
  void Pad();

  std::vector<std::byte> out_;
  std::set<std::string, std::less<>> directories_;
  uint32_t next_inode_ = 1;
};

}  // namespace ktstr

#include "libcore/archive/other_format.h"

#include <cstring>

namespace ktstr::archive {

namespace {

using std::string_view_literals::operator""sv;

struct Format {
  size_t offset;
  std::string_view magic;
  std::string_view what;
};

constexpr std::string_view kUnpack = "is a compressed file: decompress it first";

// In order: the first that fits is it.
constexpr Format kFormats[] = {
    // include/uapi/linux/elf.h: e_type ET_CORE and others of a 64-bit little-endian file.
    {0x10, "\x04\0\x3e\0"sv,
     "is a core dump (ELF): 'ktstr-replay import' makes an archive of one of a whole machine"},
    {0,
     "\x7f"
     "ELF"sv,
     "is an ELF file, not an archive: a vmlinux is given with --vmlinux, beside an archive"},
    // makedumpfile's diskdump_mod.h and makedumpfile.h.
    {0, "KDUMP   "sv, "is a kdump-compressed vmcore: 'ktstr-replay import' makes an archive of it"},
    {0, "makedumpfile\0"sv,
     "is a flattened vmcore of makedumpfile: 'ktstr-replay import' makes an archive of it"},
    {0, "QEVM"sv, "is a migration stream of QEMU: 'ktstr-replay import' makes an archive of it"},
    {0, "LibvirtQemudSave"sv,
     "is a machine saved by libvirt: 'ktstr-replay import' makes an archive of it"},
    // Documentation/arch/x86/boot.rst: the setup header.
    {0x202, "HdrS"sv,
     "is a Linux kernel (bzImage), not a frozen machine: boot it with ktstr-capture "
     "boot --kernel"},
    {0, "SQLite format 3\0"sv,
     "is a SQLite file, such as an archive's index: give the archive that it belongs to"},
    {0, "\x1f\x8b"sv, kUnpack},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     kUnpack},
    {0, "\x28\xb5\x2f\xfd"sv, kUnpack},
    {0, "QFI\xfb"sv, "is a disk image (qcow2), not a frozen machine"},
};

}  // namespace

std::string_view OtherFormat(std::span<const std::byte> begin) {
  for (const Format& format : kFormats) {
    if (begin.size() < format.offset + format.magic.size()) continue;
    if (std::memcmp(begin.data() + format.offset, format.magic.data(), format.magic.size()) != 0) {
      continue;
    }
    const bool core = format.offset == 0x10;
    if (core && std::memcmp(begin.data(),
                            "\x7f"
                            "ELF",
                            4) != 0)
      continue;
    return format.what;
  }
  return {};
}

}  // namespace ktstr::archive

// The kdump-compressed format, as makedumpfile writes it (its diskdump_mod.h) and QEMU
// (include/sysemu/dump.h), of an x86-64 machine: a header, a sub-header with notes, two bitmaps of
// a bit per page frame (which exist, which are in the file), and for each page of the second a
// descriptor of where its bytes are and how they are compressed.
#pragma once

#include <cstdint>
#include <string_view>

#include "libcore/base/address.h"

namespace ktstr::vmcore {

inline constexpr std::string_view kKdumpSignature = "KDUMP   ";

// struct disk_dump_header. Versions: 1 has the sub-header up to dump_level, 2 up to end_pfn, 3 up
// to VMCOREINFO, 4 up to notes, 5 up to eraseinfo, 6 all of it.
struct KdumpHeader {
  char signature[8];
  int32_t version;
  char utsname[6][65];  // sysname, nodename, release, version, machine, domainname
  char padding[6];
  int64_t seconds, microseconds;  // when it was written, Unix time; 0 when it does not say
  uint32_t status;                // of the compression; kKdumpIncomplete
  int32_t block_size;             // bytes, a page
  int32_t sub_header_blocks;
  uint32_t bitmap_blocks;  // both bitmaps
  uint32_t max_mapnr;      // page frames; where the sub-header has it (version 6), that counts
  uint32_t total_ram_blocks, device_blocks, written_blocks, current_cpu;
  int32_t nr_cpus;
};
static_assert(sizeof(KdumpHeader) == 464);

struct KdumpSubHeader {
  uint64_t phys_base;
  int32_t dump_level;
  int32_t split;                // of several files that hold a part of the pages each
  uint64_t start_pfn, end_pfn;  // of a split one: those of which it has the descriptors
  uint64_t offset_vmcoreinfo, size_vmcoreinfo;
  uint64_t offset_note, size_note;
  uint64_t offset_eraseinfo, size_eraseinfo;
  uint64_t start_pfn_64, end_pfn_64, max_mapnr_64;
};
static_assert(sizeof(KdumpSubHeader) == 104);

inline constexpr int32_t kKdumpFirstSplit = 2, kKdumpFirstNotes = 4, kKdumpFirst64 = 6;

// struct page_desc.
struct KdumpPage {
  uint64_t offset;
  uint32_t size, flags;
  uint64_t page_flags;  // of struct page; nobody fills it
};
static_assert(sizeof(KdumpPage) == 24);

inline constexpr uint32_t kKdumpZlib = 0x1, kKdumpLzo = 0x2, kKdumpSnappy = 0x4, kKdumpZstd = 0x20;
// The disk was full before it was whole.
inline constexpr uint32_t kKdumpIncomplete = 0x8;

// What makedumpfile was told to leave out (-d): bits of dump_level.
inline constexpr int32_t kDumpLevelZero = 1, kDumpLevelAll = 31;

}  // namespace ktstr::vmcore

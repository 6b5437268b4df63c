// Proves, by libkdumpfile: what we export is what other readers of dumps see.
#include <fcntl.h>
#include <libkdumpfile/kdumpfile.h>

#include <algorithm>
#include <array>

#include "dumps.h"
#include "replay/snapshot_memory.h"

namespace ktstr::vmcore {
namespace {

class KdumpfileTest : public DumpTest {
 protected:
  // Reads all of physical memory by libkdumpfile, and compares it.
  void Compare(const std::string& name, const char* format, const GuestMemory& memory) {
    const int fd = open(Path(name).c_str(), O_RDONLY);
    ASSERT_GE(fd, 0);
    kdump_ctx_t* context = kdump_new();
    ASSERT_EQ(kdump_open_fd(context, fd), KDUMP_OK) << kdump_get_err(context);
    const char* found = nullptr;
    ASSERT_EQ(kdump_get_string_attr(context, KDUMP_ATTR_FILE_FORMAT, &found), KDUMP_OK);
    EXPECT_STREQ(found, format);
    for (const MemoryRegion& region : memory.regions()) {
      for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
        std::array<std::byte, kPageSize> page;
        size_t size = page.size();
        const kdump_status read =
            kdump_read(context, KDUMP_MACHPHYSADDR, pfn.pa().value(), page.data(), &size);
        const PageView expected = memory.View(pfn);
        // libkdumpfile 0.5.1 takes a segment that begins right behind a page for a part of it, and
        // what is before that for zeros.
        const bool before_segment = std::string_view(format) == "elf" && !expected.readable() &&
                                    memory.View(pfn + 1).readable();
        if (before_segment) continue;
        ASSERT_EQ(read == KDUMP_OK, expected.readable())
            << pfn.value() << " of " << region.begin.value() << ": "
            << PageFateName(expected.fate());
        if (!expected.readable()) {
          EXPECT_EQ(read, KDUMP_ERR_NODATA) << kdump_get_err(context);
          kdump_clear_err(context);
          continue;
        }
        EXPECT_TRUE(std::ranges::equal(page, expected.bytes())) << pfn.value();
      }
    }
    kdump_free(context);
    close(fd);
  }
};

TEST_F(KdumpfileTest, ReadsWhatWeExport) {
  const synthetic::SampleGuest guest = synthetic::MakeSampleGuest();
  Archive(guest.contents());
  const SnapshotMemory memory(*std::move(ArchiveReader::Open(Path("a.kts"))));
  ASSERT_TRUE(Export("elf", {.format = ExportFormat::kElf}));
  Compare("elf", "elf", memory);
  ASSERT_TRUE(
      Export("zstd", {.format = ExportFormat::kKdump, .compression = PageCompression::kZstd}));
  Compare("zstd", "diskdump", memory);
  ASSERT_TRUE(
      Export("zlib", {.format = ExportFormat::kKdump, .compression = PageCompression::kZlib}));
  Compare("zlib", "diskdump", memory);
}

}  // namespace
}  // namespace ktstr::vmcore

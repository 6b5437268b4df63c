// Proves: a migration stream's pages are found by block and address, the last of each, at the
// addresses that the machine's type has them at; and one that is cut off, contradicts itself or is
// of a kind that is not known is an error that says so.
#include "replay/vmcore/qemu_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "fixtures/sample/save_image_builder.h"
#include "fixtures/sample/stream_builder.h"
#include "fixtures/sample/temporary_directory.h"
#include "replay/vmcore/open_vmcore.h"
#include "replay/vmcore/save_image.h"

namespace ktstr::vmcore {
namespace {

using synthetic::SaveHeader;
using synthetic::StreamBuilder;
using ::testing::HasSubstr;

class QemuStreamTest : public testing::Test {
 protected:
  Result<std::unique_ptr<DumpMemory>> Open(const std::string& bytes) {
    Write(bytes);
    dump_ = std::make_unique<DumpFile>(KTSTR_TRY(DumpFile::Open(path_)));
    return StreamMemory(*dump_, KTSTR_TRY(ReadQemuStream(*dump_, 0)));
  }
  void Write(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }
  Error WhyNot(const std::string& bytes) {
    const auto opened = Open(bytes);
    EXPECT_FALSE(opened);
    return opened ? Error(ErrorCode::kExists, "it opens") : opened.error();
  }
  static uint8_t First(const GuestMemory& memory, uint64_t pfn) {
    const PageView page = memory.View(Pfn(pfn));
    return page.readable() ? std::to_integer<uint8_t>(page.data()[0]) : 0xff;
  }

  const synthetic::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "stream";
  std::unique_ptr<DumpFile> dump_;
};

TEST_F(QemuStreamTest, TheLastOfEachPageCounts) {
  StreamBuilder stream("pc-q35-7.2");
  stream.Begin({{"pc.ram", 16 * kPageSize}, {"pc.bios", 2 * kPageSize}});
  stream.Part({{"pc.ram", 0, 1},
               {"pc.ram", 1, 2},
               {"pc.ram", 2, 3},
               {"pc.bios", 0, 9},
               {"pc.ram", 3, 0},
               {"pc.ram", 4, 0},
               {"pc.ram", 5, 6}});
  stream.End({{"pc.ram", 1, 7}, {"pc.ram", 4, 8}, {"pc.ram", 2, 0}});
  const auto memory = Open(stream.Finish());
  ASSERT_TRUE(memory) << memory.error().ToString();
  EXPECT_THAT((*memory)->regions(), testing::ElementsAre(MemoryRegion{Pfn(0), Pfn(16)}));
  const std::vector<uint8_t> expected = {1, 7, 0, 0, 8, 6};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(First(**memory, i), expected[i]) << i;
  // It never came, as a page that the guest's balloon has.
  EXPECT_EQ((*memory)->View(Pfn(6)).fate(), PageFate::kNotCaptured);
}

TEST_F(QemuStreamTest, RamBeyondTheGapIsWhereTheMachineHasIt) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  for (const auto& [type, low_pages] : {std::pair("pc-q35-9.0", uint64_t{0x80000}),
                                        {"pc-i440fx-9.0", uint64_t{0xc0000}},
                                        {"microvm", uint64_t{0xc0000}}}) {
    StreamBuilder stream(type);
    stream.Begin({{"pc.ram", 4 * kGiB}, {"0000:00:01.0/vga.vram", kPageSize}});
    stream.End({{"pc.ram", low_pages - 1, 1}, {"pc.ram", low_pages, 2}});
    const auto memory = Open(stream.Finish());
    ASSERT_TRUE(memory) << memory.error().ToString();
    EXPECT_EQ(First(**memory, low_pages - 1), 1) << type;
    EXPECT_EQ(First(**memory, 0x100000), 2) << type;
    EXPECT_EQ((*memory)->View(Pfn(low_pages)).fate(), PageFate::kOutside) << type;
    EXPECT_EQ((*memory)->View(Pfn(0xa0)).fate(), PageFate::kOutside) << type;
  }
  StreamBuilder unknown("isapc");
  unknown.Begin({{"pc.ram", 4 * kGiB}});
  unknown.End({});
  EXPECT_EQ(WhyNot(unknown.Finish()).code(), ErrorCode::kUnsupported);
}

TEST_F(QemuStreamTest, NumaNodesLieInTheOrderOfTheirNames) {
  StreamBuilder stream("pc-q35-9.0");
  stream.Begin({{"/objects/ram-node10", kPageSize},
                {"/objects/ram-node2", kPageSize},
                {"/objects/ram-node1", 2 * kPageSize}});
  stream.End(
      {{"/objects/ram-node10", 0, 3}, {"/objects/ram-node2", 0, 2}, {"/objects/ram-node1", 1, 1}});
  const auto memory = Open(stream.Finish());
  ASSERT_TRUE(memory) << memory.error().ToString();
  EXPECT_EQ(First(**memory, 1), 1);
  EXPECT_EQ(First(**memory, 2), 2);
  EXPECT_EQ(First(**memory, 3), 3);
}

TEST_F(QemuStreamTest, WhatIsNotKnownIsSaid) {
  StreamBuilder mapped("pc-q35-9.0", {"events", "mapped-ram"});
  mapped.Begin({{"pc.ram", kPageSize}});
  mapped.End({});
  EXPECT_THAT(WhyNot(mapped.Finish()).ToString(), HasSubstr("mapped-ram"));
  EXPECT_EQ(WhyNot("QEVM" + std::string("\0\0\0\2", 4)).code(), ErrorCode::kUnsupported);
  StreamBuilder nothing("pc-q35-9.0");
  EXPECT_EQ(WhyNot(nothing.Finish()).code(), ErrorCode::kUnsupported);
}

TEST_F(QemuStreamTest, CutOffOrChangedAnywhereItEnds) {
  StreamBuilder stream("pc-q35-7.2", {"events"});
  stream.Begin({{"pc.ram", 4 * kPageSize}});
  stream.Part({{"pc.ram", 0, 1}, {"pc.ram", 1, 2}});
  stream.End({{"pc.ram", 2, 3}, {"pc.ram", 3, 0}});
  const std::string whole = stream.Finish();
  const size_t ram_end = whole.size() - 200;
  for (size_t size = 0; size < ram_end; size += size < 200 ? 1 : 97) {
    EXPECT_EQ(ExitCodeFor(WhyNot(whole.substr(0, size)).code()), ExitCode::kBadInput) << size;
  }
  for (size_t at = 0; at < whole.size(); at += at < 200 ? 1 : 61) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x55);
    const auto opened = Open(changed);
    if (opened) continue;
    EXPECT_EQ(ExitCodeFor(opened.error().code()), ExitCode::kBadInput) << at;
  }
}

TEST_F(QemuStreamTest, SaveFilesThatCannotBeTakenSayWhy) {
  const auto why = [this](const synthetic::SaveHeaderOptions& header, const std::string& rest) {
    Write(SaveHeader(header) + rest);
    const auto opened = OpenVmcore({path_}, {});
    EXPECT_FALSE(opened);
    const Error error = opened ? Error(ErrorCode::kExists, "it opens") : opened.error();
    EXPECT_EQ(ExitCodeFor(error.code()), ExitCode::kBadInput) << error.ToString();
    return error.ToString();
  };
  EXPECT_THAT(why({.magic = "LibvirtQemudPart"}, ""), HasSubstr("to its end"));
  EXPECT_THAT(why({.compression = 6}, ""), HasSubstr("sparse"));
  EXPECT_THAT(why({.compression = 60}, ""), HasSubstr("compressed by way 60"));
  EXPECT_THAT(why({.version = 7}, ""), HasSubstr("version 7"));
  EXPECT_THAT(why({.more_xml = 1000}, "short"), HasSubstr("1050 bytes"));
  EXPECT_THAT(why({.compression = 1}, "this is not gzip's"), HasSubstr("no migration stream"));
  EXPECT_THAT(why({}, "XXXX"), HasSubstr("no migration stream"));
}

}  // namespace
}  // namespace ktstr::vmcore

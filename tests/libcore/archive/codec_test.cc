#include <gtest/gtest.h>

#include "fixtures/sample/sample_guest.h"
#include "libcore/archive/bytes.h"
#include "libcore/archive/metadata_codec.h"
#include "libcore/archive/sections.h"
#include "libcore/archive/vcpu_codec.h"

namespace ktstr::archive {
namespace {

TEST(MetadataCodecTest, EveryFieldComesBackEvenTextThatIsNotUtf8) {
  const ArchiveMetadata metadata = synthetic::MakeSampleGuest().metadata;
  EXPECT_EQ(DecodeMetadata(*EncodeMetadata(metadata)), metadata);
  EXPECT_EQ(DecodeMetadata(*EncodeMetadata({})), ArchiveMetadata());
}

TEST(MetadataCodecTest, HowMuchIsNotPluggedComesBack) {
  ArchiveMetadata metadata;
  metadata.unplugged_pages = 512;
  metadata.ran_while_read = true;
  EXPECT_EQ(DecodeMetadata(*EncodeMetadata(metadata)), metadata);
}

TEST(MetadataCodecTest, KeysOfLaterVersionsAreIgnored) {
  const auto metadata = DecodeMetadata(R"({"trigger": "manual", "mood": {"of": ["the", "vCPU"]}})");
  ASSERT_TRUE(metadata);
  EXPECT_EQ(metadata->trigger, "manual");
}

TEST(MetadataCodecTest, AnArchiveThatDoesNotSayWhatItKeptKeptAll) {
  const auto metadata = DecodeMetadata(R"({"trigger": "manual"})");
  ASSERT_TRUE(metadata);
  EXPECT_EQ(metadata->kept, "all");
}

TEST(MetadataCodecTest, WhatIsOfTheWrongTypeIsRefusedAndNamed) {
  const auto error = [](std::string_view json) { return DecodeMetadata(json).error().message(); };
  EXPECT_EQ(error("[1]"), "the metadata is not a JSON object");
  EXPECT_EQ(error("{"), "the metadata is not a JSON object");
  EXPECT_EQ(error(R"({"trigger": 1})"), "the metadata's \"trigger\" is malformed");
  EXPECT_EQ(error(R"({"trigger": {"hex": "0"}})"), "the metadata's \"trigger\" is malformed");
  EXPECT_EQ(error(R"({"trigger": {"hex": "zz"}})"), "the metadata's \"trigger\" is malformed");
  EXPECT_EQ(error(R"({"tags": []})"), "the metadata's \"tags\" is malformed");
  EXPECT_EQ(error(R"({"vmm_command_line": [[]]})"),
            "the metadata's \"vmm_command_line\" is malformed");
  EXPECT_EQ(error(R"({"cpu_features": {"1.edx": 4294967296}})"),
            "the metadata's \"cpu_features\" is malformed");
  EXPECT_EQ(error(R"({"ran_while_read": 1})"), "the metadata's \"ran_while_read\" is malformed");
  EXPECT_EQ(error(R"({"unplugged_pages": -1})"), "the metadata's \"unplugged_pages\" is malformed");
  EXPECT_EQ(error(R"({"derivations": [{"chosen": 1}]})"),
            "the metadata's \"derivations\" is malformed");
  EXPECT_EQ(error(R"({"captured_at_ns": 1.5})"), "the metadata's \"captured_at_ns\" is malformed");
  EXPECT_EQ(error(R"({"captured_at_ns": 9223372036854775808})"),
            "the metadata's \"captured_at_ns\" is malformed");
}

TEST(MetadataCodecTest, DeepNestingDoesNotExhaustTheStack) {
  constexpr size_t kDepth = 1'000'000;
  const std::string nested = std::string(kDepth, '[') + std::string(kDepth, ']');
  EXPECT_TRUE(DecodeMetadata("{\"later\": " + nested + "}"));
  EXPECT_FALSE(DecodeMetadata("{\"later\": " + nested));
  EXPECT_FALSE(DecodeMetadata(std::string(kDepth, '[')));
}

TEST(MetadataCodecTest, ATagWhoseNameIsNotTextIsRefused) {
  ArchiveMetadata metadata;
  metadata.tags["\xff"] = "x";
  EXPECT_EQ(EncodeMetadata(metadata).error().code(), ErrorCode::kInvalidArgument);
}

TEST(VcpuCodecTest, EveryRegisterComesBack) {
  const auto vcpus = synthetic::MakeSampleGuest().vcpus;
  EXPECT_EQ(DecodeVcpus(EncodeVcpus(vcpus)), vcpus);
}

TEST(VcpuCodecTest, WhatALaterVersionAppendsToARecordIsIgnored) {
  const auto vcpus = synthetic::MakeSampleGuest().vcpus;
  const auto payload = EncodeVcpus(vcpus);
  const size_t record_size = (payload.size() - 8) / vcpus.size();
  ByteSink longer;
  longer.Put<uint32_t>(static_cast<uint32_t>(vcpus.size()));
  longer.Put<uint32_t>(static_cast<uint32_t>(record_size + 12));
  for (size_t i = 0; i < vcpus.size(); ++i) {
    longer.PutBytes(std::span(payload).subspan(8 + i * record_size, record_size));
    longer.Put<uint32_t>(~uint32_t{0x7f});  // no group that is known today is unknown
    longer.Put<uint64_t>(~uint64_t{0});
  }
  EXPECT_EQ(DecodeVcpus(longer.bytes()), vcpus);
}

TEST(VcpuCodecTest, CountsThatDoNotFitTheBytesAreRefused) {
  for (const auto& [count, size, bytes] : {std::tuple{1u, 405u, 404u},
                                           {2u, 405u, 405u},
                                           {1u, 404u, 404u},
                                           {UINT32_MAX, 0u, 0u},
                                           {UINT32_MAX, UINT32_MAX, 16u}}) {
    ByteSink payload;
    payload.Put<uint32_t>(count);
    payload.Put<uint32_t>(size);
    for (unsigned i = 0; i < bytes; ++i) payload.Put<uint8_t>(0);
    EXPECT_EQ(DecodeVcpus(payload.bytes()).error().code(), ErrorCode::kDamaged);
  }
  EXPECT_EQ(DecodeVcpus({}).error().code(), ErrorCode::kDamaged);
}

TEST(RegionsTest, RegionsThatAreNotAscendingDisjointAndSaneAreRefused) {
  const auto valid = [](std::vector<MemoryRegion> regions) {
    return DecodeRegions(EncodeRegions(regions)).has_value();
  };
  EXPECT_TRUE(valid({}));
  EXPECT_TRUE(valid({{Pfn(0), Pfn(1)}, {Pfn(1), Pfn(2)}}));
  EXPECT_FALSE(valid({{Pfn(1), Pfn(1)}}));
  EXPECT_FALSE(valid({{Pfn(2), Pfn(1)}}));
  EXPECT_FALSE(valid({{Pfn(0), Pfn(2)}, {Pfn(1), Pfn(3)}}));
  EXPECT_FALSE(valid({{Pfn(4), Pfn(5)}, {Pfn(0), Pfn(1)}}));
  EXPECT_FALSE(valid({{Pfn(0), Pfn(kMaxPages + 1)}}));
  // The last page that 52 bits of physical address reach, and the one behind it.
  constexpr uint64_t kEnd = uint64_t{1} << 40;
  EXPECT_TRUE(valid({{Pfn(kEnd - 1), Pfn(kEnd)}}));
  EXPECT_FALSE(valid({{Pfn(kEnd), Pfn(kEnd + 1)}}));
  EXPECT_FALSE(valid({{Pfn(0), Pfn(kMaxPages)}, {Pfn(kMaxPages), Pfn(kMaxPages + 1)}}));
  EXPECT_FALSE(DecodeRegions(std::vector<std::byte>(15)));
}

}  // namespace
}  // namespace ktstr::archive

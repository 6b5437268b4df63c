#include "libcore/walk/system/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures/synthetic/log_builder.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using synthetic::LogBuilder;
using synthetic::LogRecord;
using ::testing::ElementsAre;

Walked<LogRow> WalkOrDie(KernelBuilder& builder) {
  auto guest = builder.Finish();
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  if (!kernel) {
    ADD_FAILURE() << kernel.error().ToString();
    return {};
  }
  auto walked = WalkLog(**kernel);
  if (!walked) ADD_FAILURE() << walked.error().ToString();
  return walked ? *std::move(walked) : Walked<LogRow>();
}

std::vector<std::string> Texts(const Walked<LogRow>& walked) {
  std::vector<std::string> texts;
  for (const LogRow& row : walked.rows) texts.push_back(row.text.value_or("(none)"));
  return texts;
}

TEST(LogWalkTest, RecordsComeInOrderWithTimeLevelAndCaller) {
  KernelBuilder builder;
  LogBuilder log(builder);
  log.Add({.text = "first", .time_ns = 5, .level = 6, .caller_id = 42});
  log.Add({.text = "second\nline", .time_ns = 9, .level = 3, .caller_id = 0x80000001});
  log.Finish();
  const auto walked = WalkOrDie(builder);
  EXPECT_THAT(Texts(walked), ElementsAre("first", "second\nline"));
  EXPECT_EQ(walked.rows[0].time_ns, 5);
  EXPECT_EQ(walked.rows[0].caller, "T42");
  EXPECT_EQ(walked.rows[1].caller, "C1");
  EXPECT_EQ(walked.rows[1].level, 3);
  EXPECT_EQ(walked.rows[1].seq, 1);
  EXPECT_TRUE(walked.anomalies.empty());
}

TEST(LogWalkTest, ARingThatHasWrappedManyTimesGivesItsLastRecords) {
  KernelBuilder builder;
  LogBuilder log(builder);
  for (int i = 0; i < 500; ++i) log.Add({.text = "message number " + std::to_string(i)});
  log.Finish();
  const auto walked = WalkOrDie(builder);
  ASSERT_GT(walked.rows.size(), 3u);
  EXPECT_EQ(walked.rows.back().text, "message number 499");
  for (size_t i = 1; i < walked.rows.size(); ++i) {
    EXPECT_EQ(*walked.rows[i].seq, *walked.rows[i - 1].seq + 1);
    EXPECT_EQ(walked.rows[i].text, "message number " + std::to_string(*walked.rows[i].seq));
  }
  EXPECT_TRUE(walked.anomalies.empty());
}

TEST(LogWalkTest, AnEmptyLineIsEmptyNotUnknown) {
  KernelBuilder builder;
  LogBuilder log(builder);
  log.Add({.text = ""});
  log.Finish();
  EXPECT_THAT(Texts(WalkOrDie(builder)), ElementsAre(""));
}

TEST(LogWalkTest, ARecordThatIsBeingWrittenIsAnAnomalyAndTheNextOnesAreStillRead) {
  KernelBuilder builder;
  LogBuilder log(builder);
  log.Add({.text = "before"});
  log.Add({.text = "half", .state = LogRecord::State::kReserved});
  log.Add({.text = "after"});
  log.Finish();
  const auto walked = WalkOrDie(builder);
  EXPECT_THAT(Texts(walked), ElementsAre("before", "after"));
  ASSERT_EQ(walked.anomalies.size(), 1u);
  EXPECT_EQ(walked.anomalies[0].kind, "being written");
}

TEST(LogWalkTest, ACommittedRecordThatMayStillGrowIsRead) {
  KernelBuilder builder;
  LogBuilder log(builder);
  log.Add({.text = "growing", .state = LogRecord::State::kCommitted});
  log.Finish();
  EXPECT_THAT(Texts(WalkOrDie(builder)), ElementsAre("growing"));
}

TEST(LogWalkTest, ATextThatWasOverwrittenIsUnknownNotAnothersText) {
  KernelBuilder builder;
  LogBuilder log(builder);
  log.Add({.text = "victim"});
  log.Add({.text = "intact"});
  log.Finish();
  builder.Put<uint64_t>(log.data(), 0x1234);
  const auto walked = WalkOrDie(builder);
  EXPECT_THAT(Texts(walked), ElementsAre("(none)", "intact"));
  ASSERT_EQ(walked.anomalies.size(), 1u);
  EXPECT_EQ(walked.anomalies[0].kind, "overwritten");
}

TEST(LogWalkTest, ARingOfMoreRecordsThanMemoryHoldsEndsSoon) {
  KernelBuilder builder;
  LogBuilder log(builder);
  log.Add({.text = "first"});
  log.Finish();
  const auto offset_of = [&](const char* path) {
    return builder.MemberOf("printk_ringbuffer", path).offset;
  };
  const uint64_t count_bits = offset_of("desc_ring.count_bits");
  const uint64_t head_id = offset_of("desc_ring.head_id.counter");
  auto guest = builder.Finish();
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus).value();
  const Kva ring = kernel->ReadSymbol<Kva>("prb").value();
  guest.memory->Put<uint32_t>(kernel->Translate(ring + count_bits).value(), 31);
  guest.memory->Put<uint64_t>(kernel->Translate(ring + head_id).value(), 0x7fffffff);
  const auto walked = WalkLog(*kernel).value();
  ASSERT_FALSE(walked.anomalies.empty());
  EXPECT_EQ(walked.anomalies.back().kind, "cap");
  EXPECT_LE(walked.anomalies.size(), Anomalies::kMostRows + 1);
}

}  // namespace
}  // namespace ktstr

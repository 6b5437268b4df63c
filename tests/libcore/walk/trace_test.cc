#include "libcore/walk/trace/trace.h"

#include "fixtures/synthetic/trace_builder.h"
#include "libcore/walk/trace/print_format.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using synthetic::TextRecord;
using synthetic::TraceBuilder;
using synthetic::TracePage;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TraceTest : public testing::Test {
 protected:
  static std::vector<std::byte> Marker(const std::string& text, int32_t pid = 7) {
    return TextRecord(TraceBuilder::kPrint, pid, text);
  }
  // One to page `i` of a ring, 100 ns after the page's begin.
  static TracePage PageOf(uint64_t time, const std::string& text) {
    return TracePage(time).Record(100, Marker(text));
  }
  const TraceState& Walk(const TraceLimits& limits = {}) {
    auto state = WalkTrace(guest_.Open(), limits);
    EXPECT_TRUE(state.has_value());
    state_ = std::move(state).value();
    return state_;
  }
  std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    for (const TraceRow& row : state_.events) {
      // Behind the address.
      const std::string text = row.text.value_or("(none)");
      texts.push_back(text.substr(text.find(": ") + 2));
    }
    return texts;
  }
  std::vector<int64_t> Times() const {
    std::vector<int64_t> times;
    for (const TraceRow& row : state_.events) times.push_back(*row.time_ns);
    return times;
  }
  void Link(size_t from, Kva to) {
    guest_.builder().Set("buffer_page", trace_.pages(0)[from], "list.next", to.value());
  }

  WalkGuest guest_;
  TraceBuilder trace_{guest_.builder()};
  TraceState state_;
};

TEST_F(TraceTest, EventsOfAllCpusComeInOrderOfTimeFromTheReadersPageToTheOneBeingWritten) {
  trace_.SetRing(0, {PageOf(1000, "first"), PageOf(3000, "third"), PageOf(4000, "fourth")});
  trace_.SetRing(1, {PageOf(2000, "second")});
  trace_.Finish();
  Walk();
  EXPECT_THAT(Texts(), ElementsAre("first", "second", "third", "fourth"));
  EXPECT_THAT(Times(), ElementsAre(1100, 2100, 3100, 4100));
  EXPECT_EQ(state_.events[1].cpu, 1);
  EXPECT_EQ(state_.events[1].pid, 7);
  EXPECT_EQ(state_.events[1].system, "ftrace");
  EXPECT_EQ(state_.events[1].buffer, "top");
  EXPECT_EQ(state_.events[1].fields, R"({"ip":0,"buf":"second"})");
  EXPECT_EQ(state_.events[1].missed, std::nullopt);
  ASSERT_EQ(state_.buffers.size(), 2u);
  EXPECT_EQ(state_.buffers[0].events, 3);
  EXPECT_EQ(state_.buffers[0].clock, "local");
  EXPECT_EQ(state_.buffers[0].first_ns, 1100);
  EXPECT_EQ(state_.buffers[0].last_ns, 4100);
  EXPECT_THAT(state_.anomalies, NoAnomalies());
}

TEST_F(TraceTest, WhatTheReaderHasReadIsGone) {
  trace_.SetRing(0, {PageOf(1000, "read").Record(5, Marker("left"))});
  trace_.Finish();
  // A header and the first record.
  const uint64_t length = 4 + (Marker("read").size() + 3) / 4 * 4;
  guest_.builder().Set("buffer_page", trace_.pages(0)[0], "read", length);
  Walk();
  EXPECT_THAT(Texts(), ElementsAre("left"));
  EXPECT_THAT(Times(), ElementsAre(1105));
}

TEST_F(TraceTest, EveryKindOfTimeCounts) {
  trace_.SetRing(0, {TracePage(1000)
                         .Record(1, Marker("one"))
                         .TimeExtend(uint64_t{1} << 30)
                         .Record(2, Marker("late"))
                         .Discarded(50, 24)
                         .LongRecord(3, Marker("after one that was taken back"))
                         .Discarded(1, 24)  // that time is none
                         .TimeStamp(uint64_t{5} << 30)
                         .Record(4, Marker("by its own time"))
                         .PageEnd()
                         .Record(9, Marker("never"))});
  trace_.Finish();
  Walk();
  constexpr int64_t k30 = int64_t{1} << 30;
  EXPECT_THAT(Times(), ElementsAre(1001, 1003 + k30, 1056 + k30, 5 * k30 + 4));
  EXPECT_THAT(state_.anomalies, NoAnomalies());
}

TEST_F(TraceTest, LostEventsAreToldOf) {
  constexpr uint64_t kMissed = uint64_t{1} << 31;
  trace_.SetRing(0, {PageOf(1000, "before"), PageOf(2000, "after").Flag(kMissed),
                     PageOf(3000, "later").LostBefore(42)});
  trace_.Finish();
  Walk();
  ASSERT_EQ(state_.events.size(), 3u);
  EXPECT_EQ(state_.events[0].missed, std::nullopt);
  EXPECT_EQ(state_.events[1].missed, 0);
  EXPECT_EQ(state_.events[2].missed, 42);
}

TEST_F(TraceTest, ASwitchIsPrintedByTheKernelsOwnFormat) {
  std::vector<std::byte> record = TextRecord(TraceBuilder::kSwitch, 1, "");
  record.resize(40);
  const auto put = [&](size_t at, auto value) {
    std::ranges::copy(std::as_bytes(std::span(&value, 1)), record.begin() + ptrdiff_t(at));
  };
  put(8, int32_t{42});
  put(16, int64_t{0x102});
  put(24, uint32_t{28 | 6 << 16});
  for (size_t i = 0; i < 5; ++i) record[28 + i] = static_cast<std::byte>("spin\n"[i]);
  trace_.SetRing(0, {TracePage(0).Record(1, record)});
  trace_.Finish();
  Walk();
  ASSERT_EQ(state_.events.size(), 1u);
  EXPECT_EQ(state_.events[0].text, "prev_pid=42 prev_state=D+ ==> next=spin");
  EXPECT_EQ(state_.events[0].fields, R"({"prev_pid":42,"prev_state":258,"next":"spin\n"})");
}

TEST_F(TraceTest, ATextBeyondTheRecordIsNullAndNoText) {
  std::vector<std::byte> record = TextRecord(TraceBuilder::kSwitch, 1, "");
  record.resize(28);
  record[24] = std::byte{200};
  record[26] = std::byte{9};
  trace_.SetRing(0, {TracePage(0).Record(1, record)});
  trace_.Finish();
  Walk();
  ASSERT_EQ(state_.events.size(), 1u);
  EXPECT_EQ(state_.events[0].text, "prev_pid=0 prev_state=0 next=null");
}

TEST_F(TraceTest, AnEventWhoseFormatIsGoneKeepsItsNumber) {
  trace_.SetRing(0, {TracePage(0).Record(1, TextRecord(999, 1, "x"))});
  trace_.Finish();
  Walk();
  ASSERT_EQ(state_.events.size(), 1u);
  EXPECT_EQ(state_.events[0].event, "type 999");
  EXPECT_EQ(state_.events[0].text, std::nullopt);
}

TEST_F(TraceTest, ADamagedPageCostsItsRestAlone) {
  trace_.SetRing(0, {PageOf(1000, "first"),
                     PageOf(2000, "good").Word(0 | 1 << 5).Word(0xffff),  // too long a record
                     PageOf(3000, "third")});
  trace_.Finish();
  Walk();
  EXPECT_THAT(Texts(), ElementsAre("first", "good", "third"));
  EXPECT_THAT(state_.anomalies, HasAnomaly("damage", trace_.sub_buffers(0)[1]));
}

TEST_F(TraceTest, AMissingPageIsToldOfAndTheRestIsRead) {
  trace_.SetRing(0, {PageOf(1000, "first"), PageOf(2000, "gone"), PageOf(3000, "third")});
  trace_.Finish();
  guest_.LeaveOut(trace_.sub_buffers(0)[1]);
  Walk();
  EXPECT_THAT(Texts(), ElementsAre("first", "third"));
  EXPECT_FALSE(state_.anomalies.empty());
}

TEST_F(TraceTest, ACommitBeyondThePageIsDamage) {
  trace_.SetRing(0, {PageOf(1000, "first").Flag(0x8000)});
  trace_.Finish();
  Walk();
  EXPECT_THAT(Texts(), ElementsAre("first"));
  EXPECT_THAT(state_.anomalies, HasAnomaly("damage", trace_.sub_buffers(0)[0]));
}

TEST_F(TraceTest, ACircleThatDoesNotCloseLeavesTheReadersPage) {
  trace_.SetRing(0,
                 {PageOf(1000, "first"), PageOf(2000, "x"), PageOf(3000, "y"), PageOf(4000, "z")});
  trace_.SetRing(1, {PageOf(5000, "of another CPU")});
  trace_.Finish();
  // From the last to itself: the way from there never leads back to where it began.
  Link(1, trace_.pages(0)[2]);
  Link(2, trace_.pages(0)[1]);
  Walk();
  EXPECT_THAT(Texts(), ElementsAre("first", "of another CPU"));
  EXPECT_FALSE(state_.anomalies.empty());
}

TEST_F(TraceTest, APointerToNowhereLeavesTheReadersPage) {
  trace_.SetRing(0, {PageOf(1000, "first"), PageOf(2000, "x"), PageOf(3000, "y")});
  trace_.Finish();
  Link(1, WalkGuest::Wild());
  Walk();
  EXPECT_THAT(Texts(), ElementsAre("first"));
  EXPECT_FALSE(state_.anomalies.empty());
}

TEST_F(TraceTest, AHeadThatIsBeingTakenAwayIsLost) {
  trace_.SetRing(0, {PageOf(1000, "first"), PageOf(2000, "head"), PageOf(3000, "next")});
  trace_.Finish();
  Link(2, trace_.pages(0)[1] + 2);  // RB_PAGE_UPDATE
  Walk();
  EXPECT_THAT(Texts(), ElementsAre("first", "next"));
}

TEST_F(TraceTest, OfTooManyTheNewestAreToldOf) {
  trace_.SetRing(0, {PageOf(1000, "first"), PageOf(2000, "second"), PageOf(3000, "third")});
  trace_.Finish();
  Walk({.most_events = 2});
  EXPECT_THAT(Texts(), ElementsAre("second", "third"));
  EXPECT_EQ(state_.anomalies.at(0).kind, "cap");
  Walk({.most_bytes = 2 * kPageSize});
  EXPECT_THAT(Texts(), ElementsAre("third"));
}

TEST(TraceAbsentTest, AKernelWithoutTracingHasNothingToTell) {
  WalkGuest guest;
  const auto state = WalkTrace(guest.Open());
  ASSERT_TRUE(state.has_value());
  EXPECT_THAT(state->events, IsEmpty());
  EXPECT_THAT(state->anomalies, NoAnomalies());
}

// Fields a (-3) and text ("abc"), and nothing else.
class OneOfEach final : public PrintSource {
 public:
  std::optional<PrintValue> Field(std::string_view name) override {
    if (name == "a") return PrintValue{.number = -3, .text = {}};
    if (name == "big") return PrintValue{.number = -1, .is_unsigned = true, .text = {}};
    if (name == "text") return PrintValue{.text = "abc"};
    return std::nullopt;
  }
  std::optional<PrintValue> Element(std::string_view name, uint64_t index) override {
    if (name != "list" || index > 2) return std::nullopt;
    return PrintValue{.number = 10 + static_cast<int64_t>(index), .text = {}};
  }
  std::optional<std::string> DynamicText(std::string_view name) override {
    return name == "text" ? std::optional<std::string>("dynamic") : std::nullopt;
  }
  std::optional<std::string> TextAt(uint64_t) override { return std::nullopt; }
  std::string Symbol(uint64_t, bool with_offset) override { return with_offset ? "f+1/2" : "f"; }
};

std::string Printed(const std::string& format) {
  class Four final : public PrintConstants {
    std::optional<int64_t> ValueOf(std::string_view name) const override {
      return name == "FOUR" ? std::optional<int64_t>(4) : std::nullopt;
    }
  } const four;
  const auto parsed = PrintFormat::Parse(format, &four);
  if (parsed == nullptr) return "(not parsed)";
  OneOfEach source;
  return parsed->Print(source).value_or("(not printed)");
}

TEST(PrintFormatTest, PrintsAsTheKernelDoes) {
  EXPECT_EQ(Printed(R"("a=%d %5d|%-5d|%05d %u", REC->a, REC->a, REC->a, REC->a, (u32)REC->a)"),
            "a=-3    -3|-3   |-0003 4294967293");
  EXPECT_EQ(Printed(R"("%x %#llx %lu", REC->a, REC->big, REC->big)"),
            "fffffffd 0xffffffffffffffff 18446744073709551615");
  EXPECT_EQ(Printed(R"("%s %10s %.2s %s 100%%", REC->text, REC->text, REC->text, __get_str(text))"),
            "abc        abc ab dynamic 100%");
  EXPECT_EQ(Printed(R"("%d %d %d", 1 + 2 * 3, (1 + 2) * 3 == 9 && !0, 0x10 >> 2 | 1)"), "7 1 5");
  EXPECT_EQ(Printed(R"("%s", REC->a < 0 ? "negative" : "not")"), "negative");
  EXPECT_EQ(Printed(R"("%s", REC->big > 0 ? "unsigned" : "signed")"), "unsigned");
  EXPECT_EQ(Printed(R"("%s %s", __print_flags(5, "|", { 1, "A" }, { 2, "B" }), )"
                    R"(__print_symbolic(2, { 1, "one" }, { 1 << 1, "two" }))"),
            "A|0x4 two");
  EXPECT_EQ(Printed(R"("%d %d", REC->list[2], FOUR | 1)"), "12 5");
  EXPECT_EQ(Printed(R"("%s", __print_symbolic(4, { FOUR, "four" }))"), "four");
  EXPECT_EQ(Printed(R"("%ps %pS %c", (void *)REC->big, (void *)REC->big, 65)"), "f f+1/2 A");
}

TEST(PrintFormatTest, GivesNothingForWhatItCannotDo) {
  for (const char* format :
       {"", "no quotes", R"("%pI4", REC->a)", R"("%d")", R"("%d", REC->a[x])", R"("%d", FIVE)",
        R"("%d", FOUR + )", R"("%d", sizeof(x))", R"("%d", REC->a REC->a)",
        R"("%s", __print_hex(REC->a, 4))", R"("%d", 1 +)", "\"%d\", \"", "\"%"}) {
    EXPECT_EQ(Printed(format), "(not parsed)") << format;
  }
  for (const char* format :
       {R"("%d", REC->text)", R"("%d", REC->none)", R"("%s", REC->a)", R"("%d", 1 / 0)",
        R"("%d", 1 << 64)", R"("%d", REC->list[3])", R"("%d", REC->a[0])"}) {
    EXPECT_EQ(Printed(format), "(not printed)") << format;
  }
  const std::string deep = R"("%d", )" + std::string(10'000, '(') + "1" + std::string(10'000, ')');
  EXPECT_EQ(Printed(deep), "(not parsed)");
  std::string lengthy = R"("%d", 1)";
  for (int i = 0; i < 10'000; ++i) lengthy += "+1";
  EXPECT_EQ(Printed(lengthy), "(not parsed)");
  EXPECT_EQ(Printed(R"("%d", )" + std::string(10'000, '-') + "1"), "(not parsed)");
}

}  // namespace
}  // namespace ktstr

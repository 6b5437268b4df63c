#include "libcore/ops/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libcore/base/utf8.h"
#include "sample_messages.h"

namespace ktstr {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(std::string_view text) {
  const auto request = RequestFromJson(text);
  if (request) return "no error";
  EXPECT_EQ(request.error().code(), ErrorCode::kInvalidArgument);
  return request.error().ToString();
}

// A request with that one entry.
std::string WithEntry(const std::string& target, const std::string& value) {
  return R"({"entries":[{"target":)" + target + R"(,"value":)" + value + "}]}";
}

TEST(OpsJsonTest, ReadsARequestAsPeopleWriteIt) {
  const auto request = RequestFromJson(R"({
    "request_id": 7, "mode": "cold", "direction": "read", "tag": "t",
    "entries": [
      {"target": {"symbol": "jiffies"}, "value": {"u64": 0}},
      {"target": {"per_cpu_field": {"symbol": "runqueues", "field": "nr_running", "cpu": 0}},
       "value": {"u32": 0}},
      {"target": {"task_field": {"pid": 1, "expected_start_time_ns": 0, "field": "prio"}},
       "value": {"u32": 0}, "unchecked": true},
      {"target": {"kva": "0xffffc90000000010"}, "value": {"bytes": 16}},
      {"target": {"direct": "0xffff888000000000"}, "value": {"or_u32": 32}},
      {"target": {"symbol": "x"}, "value": {"bytes": "00fFa0"}}]})");
  ASSERT_TRUE(request) << request.error().ToString();
  const OpRequest expected = {
      .request_id = 7,
      .tag = "t",
      .entries = {
          {SymbolTarget{"jiffies"}, U64Value{}},
          {PerCpuFieldTarget{"runqueues", "nr_running", 0}, U32Value{}},
          {TaskFieldTarget{1, 0, "prio"}, U32Value{}, true},
          {KvaTarget{Kva(0xffffc90000000010)}, BytesWidth{16}},
          {DirectTarget{Kva(0xffff888000000000)}, OrU32Value{32}},
          {SymbolTarget{"x"}, BytesValue{{std::byte(0), std::byte(0xff), std::byte(0xa0)}}}}};
  EXPECT_EQ(*request, expected);
}

TEST(OpsJsonTest, AReplySaysToProgramsWhatWasWrong) {
  const OpReply reply = {
      .reason = "entry[2]: why",
      .error = OpReplyError{2, OpErrorCode::kTaskOnRq, OpLayer::kL4}};
  EXPECT_EQ(ToJson(reply),
            R"({"request_id":0,"success":false,"reason":"entry[2]: why",)"
            R"("error":{"entry":2,"code":"task-on-rq","layer":"L4"},"read_values":[]})");
  const auto with = [](const char* code) {
    return ReplyFromJson(std::string(R"({"request_id":0,"success":false,"reason":"","error":)") +
                         R"({"entry":0,"layer":"L4","code":")" + code + R"("},"read_values":[]})");
  };
  EXPECT_TRUE(with("unmapped"));
  EXPECT_FALSE(with("unheard-of"));
}

TEST(OpsJsonTest, WritesAReplyAsPeopleReadIt) {
  const OpReply reply = {
      .request_id = 7,
      .success = true,
      .read_values = {U64Value{~uint64_t{0}}, U32Value{3}, BytesValue{{std::byte(0xab)}}}};
  EXPECT_EQ(ToJson(reply), R"({"request_id":7,"success":true,"reason":"","read_values":[)"
                           R"({"u64":18446744073709551615},{"u32":3},{"bytes":"ab"}]})");
}

TEST(OpsJsonTest, EveryRequestAndReplyComesBack) {
  for (const OpRequest& request : SampleRequests()) {
    EXPECT_EQ(RequestFromJson(ToJson(request)), request) << ToJson(request);
  }
  for (const OpReply& reply : SampleReplies()) {
    EXPECT_EQ(ReplyFromJson(ToJson(reply)), reply) << ToJson(reply);
  }
}

TEST(OpsJsonTest, WhatMayBeLeftOutHasDefaults) {
  EXPECT_EQ(RequestFromJson(R"({"entries":[]})"), OpRequest());
}

TEST(OpsJsonTest, NumbersMayBeHexadecimalStrings) {
  const auto request =
      RequestFromJson(WithEntry(R"({"kva":18446744073709551615})", R"({"u32":"0xffffffff"})"));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->entries[0], (OpEntry{KvaTarget{Kva(~uint64_t{0})}, U32Value{0xffffffff}}));
}

TEST(OpsJsonTest, WhatIsWrongIsNamed) {
  const std::string symbol = R"({"symbol":"x"})", u32 = R"({"u32":0})";
  EXPECT_THAT(ErrorOf(""), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf("{"), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("lacks \"entries\""));
  EXPECT_THAT(ErrorOf(R"({"entries":{}})"), HasSubstr("\"entries\" is not an array"));
  EXPECT_THAT(ErrorOf(R"({"entries":[],"entires":1})"), HasSubstr("\"entires\""));
  EXPECT_THAT(ErrorOf(R"({"entries":[],"mode":"warm"})"), HasSubstr("\"mode\""));
  EXPECT_THAT(ErrorOf(R"({"entries":[],"direction":0})"), HasSubstr("\"direction\""));
  EXPECT_THAT(ErrorOf(R"({"entries":[],"request_id":4294967296})"), HasSubstr("4294967295"));
  EXPECT_THAT(ErrorOf(R"({"entries":[],"request_id":-1})"), HasSubstr("\"request_id\""));
  EXPECT_THAT(ErrorOf(R"({"entries":[1]})"), HasSubstr("entry[0]: the entry is not an object"));
  EXPECT_THAT(ErrorOf(WithEntry(symbol, R"({"u16":0})")), HasSubstr("\"u16\""));
  EXPECT_THAT(ErrorOf(WithEntry(symbol, R"({"u32":0,"u64":0})")), HasSubstr("exactly one key"));
  EXPECT_THAT(ErrorOf(WithEntry(symbol, R"({"u32":1.5})")), HasSubstr("\"u32\""));
  EXPECT_THAT(ErrorOf(WithEntry(symbol, R"({"bytes":"abc"})")), HasSubstr("hexadecimal"));
  EXPECT_THAT(ErrorOf(WithEntry(symbol, R"({"bytes":"xy"})")), HasSubstr("hexadecimal"));
  EXPECT_THAT(ErrorOf(WithEntry(R"({"register":"rip"})", u32)), HasSubstr("\"register\""));
  EXPECT_THAT(ErrorOf(WithEntry(R"({"kva":"ffff"})", u32)), HasSubstr("\"kva\""));
  EXPECT_THAT(ErrorOf(WithEntry(R"({"kva":"0x"})", u32)), HasSubstr("\"kva\""));
  EXPECT_THAT(ErrorOf(WithEntry(R"({"kva":"0x11112222333344445"})", u32)), HasSubstr("\"kva\""));
  EXPECT_THAT(ErrorOf(WithEntry(R"({"per_cpu_field":{"symbol":"x","field":"y"}})", u32)),
              HasSubstr("lacks \"cpu\""));
  EXPECT_THAT(ErrorOf(WithEntry(R"({"task_field":{"pid":1,"field":"y"}})", u32)),
              HasSubstr("lacks \"expected_start_time_ns\""));
}

TEST(OpsJsonTest, LimitsHold) {
  const std::string name(kOpNameMax + 1, 'x');
  EXPECT_THAT(ErrorOf(WithEntry(R"({"symbol":")" + name + "\"}", R"({"u32":0})")),
              HasSubstr("257 bytes"));
  EXPECT_THAT(ErrorOf(std::string(100, '[')), HasSubstr("too deep"));
  EXPECT_THAT(ErrorOf(std::string(kOpJsonMax + 1, ' ')), HasSubstr("limit"));
  std::string many = R"({"entries":[0)";
  for (size_t i = 0; i < kOpEntriesMax; ++i) many += ",0";
  EXPECT_THAT(ErrorOf(many + "]}"), HasSubstr("at most 4096"));
  std::string more = "[0";
  for (size_t i = 0; i < 1'000'000; ++i) more += ",0";
  EXPECT_THAT(ErrorOf(more), HasSubstr("too long"));
}

TEST(OpsJsonTest, TagsAndReasonsAreCutBetweenTwoCharacters) {
  std::string text;
  while (text.size() <= kOpTagMax) text += "\u2603";
  const auto request = RequestFromJson(R"({"entries":[],"tag":")" + text + "\"}");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->tag.size(), 255u);
  EXPECT_TRUE(IsUtf8(request->tag));
  OpReply reply;
  reply.reason = text;
  EXPECT_EQ(ReplyFromJson(ToJson(reply))->reason.size(), 255u);
}

TEST(OpsJsonTest, HostileTextNeverCrashes) {
  const std::string whole = ToJson(SampleRequests().back());
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char c : {'\0', '"', '{', ']', '\\', '9', '\x80'}) {
      std::string text = whole;
      text[at] = c;
      std::ignore = RequestFromJson(text);
      std::ignore = ReplyFromJson(text);
    }
    std::ignore = RequestFromJson(std::string_view(whole).substr(0, at));
  }
}

}  // namespace
}  // namespace ktstr

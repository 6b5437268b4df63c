// What a batch promises as a whole.
#include <limits>

#include "libcore/base/utf8.h"
#include "ops_guest.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class BatchTest : public ::testing::Test {
 protected:
  BatchTest() {
    KernelBuilder builder;
    SchedBuilder sched(builder);
    sched.AddProcess({.pid = 1, .comm = "init"});
    for (const char* name : {"first", "second", "third"}) builder.Data(name, 16);
    builder.Put<uint32_t>(builder.SymbolAddress("first"), 0x11);
    builder.Put<uint32_t>(builder.SymbolAddress("second"), 0x22);
    builder.Put<uint64_t>(builder.SymbolAddress("third"), 0x1122334455667788);
    builder.Set("rq", builder.PerCpu("runqueues", 1), "nr_running", 4);
    sched.Finish();
    guest_ = std::make_unique<OpsGuest>(builder);
  }

  uint32_t Value(const char* symbol) {
    return guest_->kernel().ReadSymbol<uint32_t>(symbol).value();
  }

  std::unique_ptr<OpsGuest> guest_;
};

TEST_F(BatchTest, BatchFatalFirstFailure) {
  const OpReply reply = guest_->Write({{SymbolTarget{"first"}, U32Value{0xa}},
                                       {SymbolTarget{"no_such_symbol"}, U32Value{0xb}},
                                       {SymbolTarget{"third"}, U32Value{0xc}}});
  EXPECT_EQ(reply.request_id, 7u);
  EXPECT_FALSE(reply.success);
  EXPECT_THAT(reply.reason, StartsWith("entry[1]: Symbol 'no_such_symbol': "));
  EXPECT_EQ(reply.error, (OpReplyError{1, OpErrorCode::kSymbolUnknown, OpLayer::kName}));
  EXPECT_EQ(Value("third"), 0x55667788u) << "what follows the failure is untouched";
}

TEST_F(BatchTest, WritesThatLandedBeforeTheFailureAreNotRolledBack) {
  guest_->Write({{SymbolTarget{"first"}, U32Value{0xa}},
                 {SymbolTarget{"second"}, OrU32Value{1}},
                 {SymbolTarget{"no_such_symbol"}, U32Value{0xb}}});
  EXPECT_EQ(Value("first"), 0xau);
  EXPECT_EQ(Value("second"), 0x23u);
}

TEST_F(BatchTest, ReadRepliesAreIndexAlignedWithTheEntries) {
  const OpReply reply =
      guest_->Read({{SymbolTarget{"second"}, U32Value{}},
                    {SymbolTarget{"third"}, U64Value{}},
                    {SymbolTarget{"third"}, BytesWidth{3}},
                    {PerCpuFieldTarget{"runqueues", "nr_running", 1}, U32Value{}},
                    {TaskFieldTarget{1, 0, "prio"}, U32Value{}, /*unchecked=*/true},
                    {SymbolTarget{"first"}, U32Value{}}});
  EXPECT_TRUE(reply.success) << reply.reason;
  EXPECT_EQ(reply.reason, "");
  EXPECT_THAT(reply.read_values,
              ElementsAre(OpValue(U32Value{0x22}), OpValue(U64Value{0x1122334455667788}),
                          OpValue(Bytes({0x88, 0x77, 0x66})), OpValue(U32Value{4}),
                          OpValue(U32Value{120}), OpValue(U32Value{0x11})));
}

TEST_F(BatchTest, ReadValuesAreEmptyForWritesAndOnError) {
  const OpReply written = guest_->Write({{SymbolTarget{"first"}, U32Value{1}}});
  EXPECT_TRUE(written.success);
  EXPECT_THAT(written.read_values, IsEmpty());
  const OpReply failed =
      guest_->Read({{SymbolTarget{"first"}, U32Value{}}, {SymbolTarget{"nope"}, U32Value{}}});
  EXPECT_FALSE(failed.success);
  EXPECT_THAT(failed.read_values, IsEmpty());
}

TEST_F(BatchTest, AReadsValueSaysTheWidthOnly) {
  const OpReply reply = guest_->Read({{SymbolTarget{"third"}, U32Value{0xffffffff}},
                                      {SymbolTarget{"third"}, Bytes({1, 2})},
                                      {SymbolTarget{"third"}, BytesWidth{0}}});
  EXPECT_THAT(reply.read_values, ElementsAre(OpValue(U32Value{0x55667788}),
                                             OpValue(Bytes({0x88, 0x77})), OpValue(Bytes({}))));
}

TEST_F(BatchTest, AnEmptyBatchSucceeds) {
  EXPECT_TRUE(guest_->Read({}).success);
  EXPECT_TRUE(guest_->Write({}).success);
}

TEST_F(BatchTest, OrU32IsWriteOnly) {
  const std::vector<OpTarget> targets = {
      SymbolTarget{"first"}, DirectTarget{Kva(0)}, KvaTarget{Kva(0)},
      PerCpuFieldTarget{"runqueues", "nr_running", 0}, TaskFieldTarget{1, 0, "prio"}};
  for (const OpTarget& target : targets) {
    const OpFailure failure = guest_->ReadFailure({{target, OrU32Value{0x20}}});
    EXPECT_EQ(Class(failure), "value-kind/request") << Describe(target);
    EXPECT_THAT(failure.error.text, HasSubstr("0x20"));
  }
}

TEST_F(BatchTest, OrU32SetsBitsOnEveryTargetButATaskField) {
  const Kva direct = guest_->kernel().page_offset() + 0x2000;
  const Kva kva = guest_->kernel().symbol_kva("second").value();
  const std::vector<OpEntry> entries = {
      {SymbolTarget{"first"}, OrU32Value{0x100}},
      {DirectTarget{direct}, OrU32Value{0x200}},
      {KvaTarget{kva}, OrU32Value{0x400}},
      {PerCpuFieldTarget{"runqueues", "nr_running", 1}, OrU32Value{0x800}}};
  ASSERT_TRUE(guest_->Write(entries).success);
  ASSERT_TRUE(guest_->Write(entries).success) << "bits that are set stay set";
  std::vector<OpEntry> reads = entries;
  for (OpEntry& read : reads) read.value = U32Value{};
  EXPECT_THAT(guest_->Read(reads).read_values,
              ElementsAre(OpValue(U32Value{0x111}), OpValue(U32Value{0x200}),
                          OpValue(U32Value{0x422}), OpValue(U32Value{0x804})));
  EXPECT_EQ(Class(guest_->WriteFailure({{TaskFieldTarget{1, 0, "prio"}, OrU32Value{1}}})),
            "value-kind/request");
}

TEST_F(BatchTest, FieldsTakeNoBytes) {
  for (const OpTarget& target : {OpTarget(PerCpuFieldTarget{"runqueues", "nr_running", 0}),
                                 OpTarget(TaskFieldTarget{1, 0, "prio"})}) {
    EXPECT_EQ(Class(guest_->ReadFailure({{target, BytesWidth{4}}})), "value-kind/request");
    EXPECT_EQ(Class(guest_->WriteFailure({{target, Bytes({1})}})), "value-kind/request");
  }
}

TEST_F(BatchTest, AWriteOfBytesNeedsTheBytes) {
  EXPECT_EQ(Class(guest_->WriteFailure({{SymbolTarget{"first"}, BytesWidth{4}}})),
            "value-kind/request");
}

TEST_F(BatchTest, MoreThanAReplyCanCarryIsRefusedBeforeItIsRead) {
  const Kva begin = guest_->kernel().page_offset();
  std::vector<OpEntry> entries = {{DirectTarget{begin}, BytesWidth{600 << 10}},
                                  {DirectTarget{begin}, BytesWidth{600 << 10}}};
  const OpFailure failure = guest_->ReadFailure(entries);
  EXPECT_EQ(failure.entry, 1u);
  EXPECT_EQ(Class(failure), "reply-too-large/request");
  entries[0].value = entries[1].value = BytesWidth{500 << 10};
  EXPECT_TRUE(guest_->Read(entries).success);
  const uint32_t most = std::numeric_limits<uint32_t>::max();
  EXPECT_EQ(Class(guest_->ReadFailure({{DirectTarget{begin}, BytesWidth{most}}})),
            "reply-too-large/request");
}

TEST_F(BatchTest, ReasonsAreCutAt256BytesBetweenTwoCharacters) {
  for (const char* character :
       {"A", "\u00e9", "\u2603", "\U0001f980", "\ufeff", "A\u00e9\u2603\U0001f980"}) {
    for (size_t shift = 0; shift < 4; ++shift) {
      std::string name(shift, 'x');
      while (name.size() < kOpReasonMax + 20) name += character;
      const OpReply reply = guest_->Read({{SymbolTarget{name}, U32Value{}}});
      EXPECT_FALSE(reply.success);
      EXPECT_LE(reply.reason.size(), kOpReasonMax);
      EXPECT_GE(reply.reason.size(), kOpReasonMax - 3);
      EXPECT_TRUE(IsUtf8(reply.reason)) << character;
    }
  }
  EXPECT_EQ(ErrorReply(2, "").reason, "");
  EXPECT_EQ(ErrorReply(2, "short").reason, "short");
  EXPECT_EQ(ErrorReply(2, std::string(300, 'A')).reason, std::string(256, 'A'));
}

TEST_F(BatchTest, NamesThatAreNoTextMakeReasonsThatAre) {
  EXPECT_TRUE(IsUtf8(guest_->Read({{SymbolTarget{"\xff\xfe"}, U32Value{}}}).reason));
}

}  // namespace
}  // namespace ktstr

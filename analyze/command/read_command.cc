// ktstr-analyze FILE read ADDRESS|SYMBOL [LENGTH]
#include "analyze/command/command.h"
#include "analyze/text/hex_dump.h"

namespace ktstr {

namespace {

struct ReadArguments {
  std::string where;
  uint64_t length = 256;
  bool words = false;
  std::optional<uint32_t> cpu;
};

constexpr uint64_t kMaxLength = 16 << 20;

Result<std::string> Read(Session& session, const ReadArguments& arguments) {
  MemorySource& memory = *KTSTR_TRY(session.Memory());
  const auto kva = memory.FindAddress(arguments.where, arguments.cpu);
  if (!kva && kva.error().code() == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kInvalidArgument, kva.error().ToString());
  }
  if (!kva) return Fail(kva.error());
  if (session.json()) return HexDumpJson(memory, *kva, arguments.length);
  return arguments.words ? WordDump(memory, *kva, arguments.length)
                         : HexDump(memory, *kva, arguments.length);
}

void DeclareRead(Options* read, Command* chosen) {
  auto arguments = std::make_shared<ReadArguments>();
  read->Add("WHERE", &arguments->where, "An address 0x… or a symbol").Required().TypeName("");
  read->Add("LENGTH", &arguments->length, "In bytes")
      .TypeName("")
      .Between(1, kMaxLength)
      .ShowDefault();
  read->Add("--words", &arguments->words, "8 bytes a line, with the symbol that they point to");
  read->Add("--cpu", &arguments->cpu, "Whose instance of a per-CPU symbol").TypeName("N");
  read->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Read(session, *arguments); };
  });
}

}  // namespace

void AddReadCommand(Options* app, Command* chosen) {
  app->AddSubcommand("read", "Bytes of memory, with symbols",
                     [chosen](Options* read) { DeclareRead(read, chosen); });
}

}  // namespace ktstr

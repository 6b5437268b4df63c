// ktstr-analyze FILE read ADDRESS|SYMBOL [LENGTH]
#include "ktstr/analyze/command/command.h"
#include "ktstr/analyze/report/hex_dump.h"

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

}  // namespace

void AddReadCommand(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<ReadArguments>();
  CLI::App* read = app->add_subcommand("read", "Bytes of memory, with symbols");
  read->add_option("WHERE", arguments->where, "An address 0x… or a symbol")
      ->required()
      ->type_name("");
  read->add_option("LENGTH", arguments->length, "In bytes")
      ->type_name("")
      ->check(CLI::Range(uint64_t{1}, kMaxLength).description(""))
      ->capture_default_str();
  read->add_flag("--words", arguments->words, "8 bytes a line, with the symbol that they point to");
  read->add_option("--cpu", arguments->cpu, "Whose instance of a per-CPU symbol")->type_name("N");
  read->callback([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Read(session, *arguments); };
  });
}

}  // namespace ktstr

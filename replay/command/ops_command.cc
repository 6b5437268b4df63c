// ktstr-replay ops ARCHIVE --request FILE.json: a batch of operations on a frozen machine's memory.

#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "libcore/base/output_place.h"
#include "libcore/ops/dispatcher.h"
#include "libcore/ops/request_file.h"
#include "replay/command/machine_options.h"
#include "replay/command/replay_command.h"
#include "replay/frozen_machine.h"
#include "replay/save.h"

namespace ktstr {

namespace {

struct OpsArguments {
  FrozenArguments machine{.memory = SnapshotMemoryOptions::kSizeForOnce};
  std::string request, save;
};

Status Save(const FrozenMachine& machine, const std::string& path, const OpRequest& request) {
  std::map<std::string, std::string> tags;
  if (!request.tag.empty()) tags["ops"] = request.tag;
  const auto saved = KTSTR_TRY(SaveMachine(machine, path, tags));
  fmt::print(stderr, "{}: digest {}, derived from {}\n", path, saved.digest,
             machine.archive().digest());
  return {};
}

Result<ExitCode> Ops(const OpsArguments& arguments) {
  const OpRequest request = KTSTR_TRY(ReadRequestFile(arguments.request));
  if (!arguments.save.empty() && request.direction == OpDirection::kRead) {
    return Fail(ErrorCode::kInvalidArgument, "--save keeps what was written; this request reads");
  }
  if (!arguments.save.empty()) KTSTR_TRY(CheckNothingAt(arguments.save));
  const auto machine = KTSTR_TRY(OpenMachine(arguments.machine));
  Dispatcher dispatcher(*KTSTR_TRY(machine->Kernel(arguments.machine.kernel)));
  const OpReply reply = machine->Exclusively(
      [&](const Exclusive& exclusive) { return dispatcher.Dispatch(exclusive, request); });
  if (reply.success && !arguments.save.empty()) {
    KTSTR_TRY(Save(*machine, arguments.save, request));
  }
  return PrintReply(reply);
}

void DeclareOps(Options* ops, Result<ExitCode>* result) {
  auto arguments = std::make_shared<OpsArguments>();
  AddArchive(ops, &arguments->machine.archive);
  ops->Add("--request", &arguments->request, "The operations, as JSON; - is standard input")
      .Required()
      .TypeName("FILE")
      .Files(".json");
  ops->Add("--save", &arguments->save,
           "Keep the changed machine as a new archive, which "
           "names ARCHIVE as its parent; unless the batch fails")
      .TypeName("NEW.kts")
      .Files(".kts");
  AddVmlinux(ops, &arguments->machine);
  AddKernelInstance(ops, &arguments->machine);
  AddMemoryOption(ops, &arguments->machine.memory);
  ops->SetFooter(
      "Example request:\n"
      "  {\"direction\":\"read\",\"entries\":[\n"
      "    {\"target\":{\"symbol\":\"jiffies\"},\"value\":{\"u64\":0}},\n"
      "    {\"target\":{\"per_cpu_field\":{\"symbol\":\"runqueues\",\"field\":\"nr_running\","
      "\"cpu\":0}},\n"
      "     \"value\":{\"u32\":0}}]}\n"
      "libcore/ops/README.md has all targets and values.\n\n"
      "Exit codes: 0 done, 1 the batch failed (the reply says where and why), 2 wrong usage or\n"
      "request, 3 the archive cannot be used, 4 the system refused.");
  ops->OnChosen([arguments, result] { *result = Ops(*arguments); });
}

}  // namespace

void AddOpsCommand(Options* app, Result<ExitCode>* result) {
  app->AddSubcommand(
      "ops",
      "Reads or writes kernel variables, per-CPU and task fields, by name or address.\n"
      "The reply is one line of JSON on standard output. Writes are private to this run: the\n"
      "archive is never changed.",
      [result](Options* ops) { DeclareOps(ops, result); });
}

}  // namespace ktstr

// ktstr-replay gdb ARCHIVE: gdb's remote protocol over an archive; no QEMU is started.

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "capture/wake/waking_directory.h"
#include "libcore/base/interrupt_guard.h"
#include "libcore/base/output.h"
#include "libcore/base/safe_text.h"
#include "replay/command/gdb_connection.h"
#include "replay/command/machine_options.h"
#include "replay/command/replay_command.h"
#include "replay/frozen_machine.h"
#include "replay/gdb/frozen_target.h"

namespace ktstr {

namespace {

struct GdbArguments {
  FrozenArguments machine{.memory = SnapshotMemoryOptions::kDefaultSize};
  std::string stdio, socket;
  std::optional<uint32_t> port;
  bool all_tasks = false;
};

// A socket's file that is removed again.
class SocketFile {
 public:
  explicit SocketFile(std::string path) : path_(std::move(path)) {}
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  ~SocketFile() { unlink(path_.c_str()); }

 private:
  std::string path_;
};

Status ServeAt(FrozenTarget& target, const GdbArguments& arguments, const GdbListener& listener) {
  KTSTR_TRY(Output::Standard().Write(
      fmt::format("{} waits for gdb; Ctrl-C ends it. In gdb:\n  target remote {}\n",
                  SafeText(arguments.machine.archive), SafeText(listener.address))));
  return ServeClients(target, listener);
}

Status ServeSomewhere(FrozenTarget& target, const GdbArguments& arguments) {
  if (arguments.port) {
    return ServeAt(target, arguments,
                   KTSTR_TRY(ListenAtPort(static_cast<uint16_t>(*arguments.port))));
  }
  if (!arguments.socket.empty()) {
    const GdbListener listener = KTSTR_TRY(ListenAtUnixSocket(arguments.socket));
    const SocketFile file(listener.address);
    return ServeAt(target, arguments, listener);
  }
  const WakingDirectory directory = KTSTR_TRY(WakingDirectory::Make());
  const auto path = directory.path() / "gdb";
  return ServeAt(target, arguments, KTSTR_TRY(ListenAtUnixSocket(path.string())));
}

Result<ExitCode> Serve(const GdbArguments& arguments, bool by_stdio) {
  bool lost = false;
  const auto machine = KTSTR_TRY(OpenMachine(arguments.machine, &lost));
  const auto target = KTSTR_TRY(FrozenTarget::Create(
      *machine, {.kernel = arguments.machine.kernel, .all_tasks = arguments.all_tasks}));
  if (const auto kernel = target->kernel(); !kernel) {
    fmt::print(stderr, "ktstr-replay: no kernel is known: only vCPUs and their page tables: {}\n",
               SafeText(kernel.error().ToString()));
  }
  if (by_stdio) {
    // gdb shares its terminal: its Ctrl-C is not for us.
    signal(SIGINT, SIG_IGN);
    KTSTR_TRY(ServeGdb(*target, STDIN_FILENO, STDOUT_FILENO));
    return lost ? ExitCode::kBadInput : ExitCode::kDone;
  }
  const InterruptGuard guard({SIGINT, SIGTERM});
  KTSTR_TRY(ServeSomewhere(*target, arguments));
  return lost ? ExitCode::kBadInput : ExitCode::kDone;
}

Result<ExitCode> Gdb(const GdbArguments& arguments) {
  if (!arguments.stdio.empty() && arguments.stdio != "-") {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}' is no place: - is standard input and output", SafeText(arguments.stdio)));
  }
  const bool by_stdio = arguments.stdio == "-";
  if (by_stdio && (arguments.port || !arguments.socket.empty())) {
    return Fail(ErrorCode::kInvalidArgument, "- excludes --port and --socket");
  }
  Result<ExitCode> served = Serve(arguments, by_stdio);
  if (!served && by_stdio) HearGdbOut(STDIN_FILENO);
  return served;
}

void DeclareGdb(Options* gdb, Result<ExitCode>* result) {
  auto arguments = std::make_shared<GdbArguments>();
  AddArchive(gdb, &arguments->machine.archive);
  gdb->Add("STDIO", &arguments->stdio, "- for standard input and output").TypeName("-");
  gdb->Add("--socket", &arguments->socket,
           "The Unix socket to wait at; without this one in a directory of its own")
      .TypeName("PATH");
  gdb->Add("--port", &arguments->port,
           "Wait at this port of 127.0.0.1 instead, where every user of this machine can come; 0: "
           "one that is free")
      .TypeName("N")
      .Between(0, 65535)
      .Excludes("--socket");
  gdb->Add("--tasks", &arguments->all_tasks,
           "Every task that sleeps is a thread, not only the CPUs");
  AddVmlinux(gdb, &arguments->machine);
  AddKernelInstance(gdb, &arguments->machine);
  AddAcceptDamage(gdb, &arguments->machine);
  AddMemoryOption(gdb, &arguments->machine.memory);
  gdb->SetFooter(
      "The machine stands still: gdb can look at everything and change nothing. Registers and\n"
      "memory that are not in the archive are <unavailable> or cannot be accessed, never zero.\n"
      "Without registers (--accept-damage) --tasks is needed: tasks that sleep are all there is.\n"
      "'monitor help' lists what goes beyond gdb's own commands, such as the stack of a task.\n\n"
      "Examples:\n"
      "  gdb -ex 'target remote | ktstr-replay gdb demo.kts -'\n"
      "  ktstr-replay symbols demo.kts -o demo.elf\n"
      "  gdb demo.elf -ex 'target remote | ktstr-replay gdb demo.kts - --tasks'\n\n"
      "Exit codes: 0 done, 2 wrong usage, 3 the archive cannot be used, 4 the system refused.");
  gdb->OnChosen([arguments, result] { *result = Gdb(*arguments); });
}

}  // namespace

void AddGdbCommand(Options* app, Result<ExitCode>* result) {
  app->AddSubcommand("gdb", "Lets gdb look at the machine as it stands: CPUs and tasks as threads",
                     [result](Options* gdb) { DeclareGdb(gdb, result); });
}

}  // namespace ktstr

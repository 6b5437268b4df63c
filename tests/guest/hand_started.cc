#include "hand_started.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "capture/boot/boot_retry.h"
#include "capture/system/memory_file.h"
#include "guest_tests.h"

namespace ktstr {

namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kPanicTimeout(120);

}  // namespace

// Again where the guest's kernel died of TCG's fault.
Result<std::unique_ptr<HandStarted>> HandStarted::Start(const HandStartedOptions& options) {
  for (int attempt = 1;; ++attempt) {
    auto machine = StartOnce(options);
    const bool stale = machine && ShowsStaleBreakpoint((*machine)->Said());
    const bool died_of_it = !machine && ShowsStaleBreakpoint(machine.error().message());
    if (attempt == kBootAttempts || !(stale || died_of_it)) return machine;
  }
}

Result<std::unique_ptr<HandStarted>> HandStarted::StartOnce(const HandStartedOptions& options) {
  std::unique_ptr<HandStarted> machine(new HandStarted);
  machine->said_ = KTSTR_TRY(MakeMemoryFile("said"));
  std::ofstream{machine->console()};
  std::vector<std::string> argv = {
      QemuProgram(options.qemu),
      "-nodefaults",
      "-display",
      "none",
      "-no-reboot",
      "-action",
      "shutdown=pause",
      "-machine",
      options.machine + (options.machine == "microvm" ? ",pit=on,pic=on,rtc=on" : ""),
      "-m",
      options.memory_size,
      "-smp",
      "2",
      "-accel",
      "tcg",
      "-cpu",
      "max",
      "-kernel",
      StockKernel("6.12").string(),
      "-append",
      fmt::format("console=ttyS0 tsc_early_khz=2000000 panic={} {}", options.resets ? -1 : 0,
                  options.kernel_arguments),
      "-serial",
      "file:" + machine->console(),
      "-qmp",
      machine->qmp_address() + ",server=on,wait=off"};
  argv.insert(argv.end(), options.arguments.begin(), options.arguments.end());
  machine->qemu_.emplace(KTSTR_TRY(ChildProcess::Start(
      {.argv = argv, .stdout_fd = machine->said_.get(), .stderr_fd = machine->said_.get()})));
  KTSTR_TRY(machine->Await("says '" + options.until + "'", [&] {
    const std::string said = machine->Said();
    return said.find(options.until) != std::string::npos || ShowsStaleBreakpoint(said);
  }));
  if (const std::string said = machine->Said(); said.find(options.until) == std::string::npos) {
    return Fail(ErrorCode::kPeer, "the machine's kernel died: " + said);
  }
  KTSTR_TRY(machine->Connect());
  if (options.resets) {
    KTSTR_TRY(
        machine->Await("is shut down", [&] { return RunState(*machine->qmp_) == "shutdown"; }));
  } else {
    KTSTR_TRY(machine->qmp_->Execute("stop"));
  }
  return machine;
}

Status HandStarted::Connect() {
  qmp_ = KTSTR_TRY(QmpClient::Connect(qmp_address()));
  return {};
}

std::string HandStarted::Said() const {
  std::ifstream file(console());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Status HandStarted::Await(const std::string& what, const std::function<bool()>& so) {
  const auto end = After(kPanicTimeout);
  while (!so()) {
    if (PollTimeout(end) == 0 || qemu_->Wait(After(milliseconds(20)))) {
      return Fail(ErrorCode::kTimeout,
                  fmt::format("the machine never {}: QEMU said '{}', the guest '{}'", what,
                              ReadTail(said_.get(), 4096).value_or("?"), Said()));
    }
  }
  return {};
}

}  // namespace ktstr

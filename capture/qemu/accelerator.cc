#include "capture/qemu/accelerator.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "capture/qemu/json_access.h"
#include "capture/system/child_process.h"
#include "capture/system/memory_file.h"
#include "capture/system/system_error.h"
#include "libcore/base/output_file.h"
#include "libcore/base/cache_directory.h"
#include "libcore/base/private_directory.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// A KVM within another, emulated one takes some seconds.
constexpr milliseconds kProbeTimeout(15'000);
constexpr milliseconds kProbeStep(50);
// What every kernel says first.
constexpr std::string_view kFirstWords = "Linux version";

fs::path CacheFile() {
  const std::string cache = UserCacheDirectory();
  return cache.empty() ? fs::path() : fs::path(cache) / "kvm.json";
}

// What the outcome of a probe holds for: this boot of the host, this QEMU, this model of CPU.
std::string ProbeKey(const std::string& qemu, const std::string& cpu_model) {
  std::ifstream boot_id("/proc/sys/kernel/random/boot_id");
  std::string key;
  std::getline(boot_id, key);
  fs::path program = qemu;
  struct stat info = {};
  if (stat(program.c_str(), &info) != 0) {
    program = fs::path("/usr/bin") / qemu;
    std::ignore = stat(program.c_str(), &info);
  }
  return fmt::format("{} {} {} {}", key, program.string(), info.st_mtim.tv_sec, cpu_model);
}

std::optional<AcceleratorChoice> Remembered(const std::string& key) {
  std::ifstream file(CacheFile());
  if (!file) return std::nullopt;
  const auto known = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (StringMember(known, "key") != key) return std::nullopt;
  if (BoolMember(known, "works")) return AcceleratorChoice{Accelerator::kKvm, ""};
  return AcceleratorChoice{Accelerator::kTcg, StringMember(known, "reason")};
}

// A cache that cannot be written only costs the next run its time.
void Remember(const std::string& key, const AcceleratorChoice& choice) {
  const fs::path path = CacheFile();
  if (path.empty()) return;
  std::ignore = MakePrivateDirectories(path.parent_path());
  const std::string text = nlohmann::json{
      {"key", key},
      {"works", choice.accelerator == Accelerator::kKvm},
      {"reason", choice.reason}}.dump();
  auto file = OutputFile::Create(path, OutputFile::Existing::kReplace);
  if (file && file->Append(std::as_bytes(std::span(text)))) std::ignore = file->Publish();
}

// Boots the kernel alone, without a disk: it gets as far as its first words or it does not.
Result<AcceleratorChoice> Probe(const MachineOptions& options) {
  const UniqueFd console = KTSTR_TRY(MakeMemoryFile("probe-console"));
  const UniqueFd messages = KTSTR_TRY(MakeMemoryFile("probe-messages"));
  auto qemu = KTSTR_TRY(ChildProcess::Start(
      {.argv = {options.qemu,  "-no-user-config",
                "-nodefaults", "-display",
                "none",        "-no-reboot",
                "-machine",    "q35",
                "-accel",      "kvm",
                "-cpu",        options.cpu_model,
                "-m",          "256M",
                "-kernel",     options.kernel.string(),
                "-append",     "console=ttyS0 earlyprintk=serial,ttyS0,115200 panic=-1",
                "-chardev",    "file,id=console,path=" + PathOfFd(console.get()),
                "-serial",     "chardev:console"},
       .kept_fds = {console.get()},
       .stdout_fd = messages.get(),
       .stderr_fd = messages.get()}));
  const Deadline deadline = After(kProbeTimeout);
  while (PollTimeout(deadline) > 0) {
    const bool ended = qemu.Wait(After(kProbeStep)).has_value();
    const std::string said = KTSTR_TRY(ReadTail(console.get(), 1 << 20));
    if (said.find(kFirstWords) != std::string::npos) {
      return AcceleratorChoice{Accelerator::kKvm, ""};
    }
    if (ended) {
      std::string why = ReadTail(messages.get(), 1000).value_or("");
      why = why.substr(0, why.find('\n'));
      return AcceleratorChoice{Accelerator::kTcg, why.empty()
                                                      ? "QEMU ended when it was tried on KVM"
                                                      : "KVM fails: " + why};
    }
  }
  return AcceleratorChoice{
      Accelerator::kTcg,
      fmt::format("on KVM the kernel said nothing for {} ms", kProbeTimeout.count())};
}

}  // namespace

std::optional<int> DebugRegisters(Accelerator accelerator) {
  // DR0 to DR3, of Intel's and AMD's processors alike. TCG compares every address itself.
  if (accelerator == Accelerator::kKvm) return 4;
  return std::nullopt;
}

Result<AcceleratorChoice> ChooseAccelerator(const MachineOptions& options) {
  if (options.accelerator == Accelerator::kTcg) return AcceleratorChoice{Accelerator::kTcg, ""};
  if (options.watched_variables > *DebugRegisters(Accelerator::kKvm)) {
    const std::string why =
        fmt::format("{} variables are watched, and KVM has {} debug registers",
                    options.watched_variables, *DebugRegisters(Accelerator::kKvm));
    if (options.accelerator == Accelerator::kKvm) {
      return Fail(ErrorCode::kUnsupported, why + ": use TCG (accel = \"tcg\")");
    }
    return AcceleratorChoice{Accelerator::kTcg, why};
  }
  const UniqueFd device(open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!device.valid()) {
    if (options.accelerator == Accelerator::kKvm) return FailErrno("opening /dev/kvm");
    return AcceleratorChoice{Accelerator::kTcg,
                             std::string("no KVM: /dev/kvm: ") + std::strerror(errno)};
  }
  if (options.accelerator == Accelerator::kKvm) return AcceleratorChoice{Accelerator::kKvm, ""};
  const std::string key = ProbeKey(options.qemu, options.cpu_model);
  if (auto known = Remembered(key)) return *known;
  const AcceleratorChoice choice = KTSTR_TRY(Probe(options));
  Remember(key, choice);
  return choice;
}

}  // namespace ktstr

#include "capture/qemu/qemu_process.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "capture/qemu/qemu_command.h"
#include "capture/system/memory_file.h"
#include "capture/system/private_file.h"
#include "capture/system/system_error.h"

namespace ktstr {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kGreetingTimeout(30);
constexpr seconds kQuitTimeout(5);
// A QEMU that dies closes its sockets a moment before it can be waited for.
constexpr milliseconds kDyingTimeout(500);

Result<UniqueFd> OpenConsole(const std::filesystem::path& path) {
  if (path.empty()) return MakeMemoryFile("console");
  return MakePrivateFile(path);
}

// The last line that is not empty.
std::string LastLine(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace

Result<std::unique_ptr<QemuProcess>> QemuProcess::Start(const MachineOptions& options, int initrd) {
  if (access(options.kernel.c_str(), R_OK) != 0) {
    return FailErrno(fmt::format("reading the guest's kernel '{}'", options.kernel.string()));
  }
  return Launch({.command = [&](const QemuFiles& files) { return QemuCommand(options, files); },
                 .initrd = initrd,
                 .console = options.console,
                 .gdb_stub = options.gdb_stub});
}

Result<std::unique_ptr<QemuProcess>> QemuProcess::Launch(const QemuLaunch& launch) {
  UniqueFd stderr_file = KTSTR_TRY(MakeMemoryFile("qemu-stderr"));
  UniqueFd console = KTSTR_TRY(OpenConsole(launch.console));
  SocketPair qmp = KTSTR_TRY(MakeSocketPair());
  SocketPair port = KTSTR_TRY(MakeSocketPair());
  SocketPair ops_port = KTSTR_TRY(MakeSocketPair());
  SocketPair gdb_port;
  if (launch.gdb_stub) gdb_port = KTSTR_TRY(MakeSocketPair());
  const QemuFiles files = {.qmp = qmp.theirs.get(),
                           .port = port.theirs.get(),
                           .ops = ops_port.theirs.get(),
                           .gdb = gdb_port.theirs.get(),
                           .initrd = launch.initrd,
                           .console = console.get()};
  ChildOptions child = {.argv = launch.command(files),
                        .kept_fds = {files.qmp, files.port, files.ops, files.console},
                        .stdout_fd = stderr_file.get(),
                        .stderr_fd = stderr_file.get(),
                        .outlives_us = launch.outlives_us};
  if (launch.gdb_stub) child.kept_fds.push_back(files.gdb);
  if (launch.initrd >= 0) child.kept_fds.push_back(launch.initrd);
  auto process = ChildProcess::Start(child);
  if (!process) {
    return Fail(std::move(process).error().Wrap(
        "cannot start QEMU (on Debian it is in the package qemu-system-x86)"));
  }
  qmp.theirs.Close();
  port.theirs.Close();
  ops_port.theirs.Close();
  gdb_port.theirs.Close();
  std::unique_ptr<QemuProcess> qemu(
      new QemuProcess(*std::move(process), std::move(stderr_file), std::move(console)));
  auto client = QmpClient::Open(std::move(qmp.ours), fmt::format("QEMU (process {})", qemu->pid()),
                                kGreetingTimeout);
  if (!client) return Fail(qemu->Explain(std::move(client).error()));
  qemu->qmp_ = *std::move(client);
  qemu->port_ = std::move(port.ours);
  qemu->ops_port_ = std::move(ops_port.ours);
  qemu->gdb_port_ = std::move(gdb_port.ours);
  return qemu;
}

Result<int> QemuProcess::Quit() {
  // Where QEMU is gone already, or does not answer, the wait below finds out.
  std::ignore = qmp_->Execute("quit", nullptr, {.timeout = kQuitTimeout});
  auto status = process_.Wait(After(kQuitTimeout));
  if (status) return status;
  process_.Kill();
  return process_.Wait(After(kQuitTimeout));
}

Error QemuProcess::Explain(Error error) {
  if (error.code() != ErrorCode::kPeer) return error;
  const auto status = process_.Wait(After(kDyingTimeout));
  if (!status) return error;
  std::string said = LastLine(ReadTail(stderr_.get(), 4096).value_or(""));
  return std::move(error).Wrap(fmt::format("QEMU {}{}", DescribeWaitStatus(*status),
                                           said.empty() ? "" : fmt::format(", saying '{}'", said)));
}

std::string QemuProcess::ConsoleTail(size_t limit) const {
  return ReadTail(console_.get(), limit).value_or("");
}

}  // namespace ktstr

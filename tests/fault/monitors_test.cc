// Proves that a guest goes on when ktstr-capture is killed (kill -9) while it stands still, by
// whatever way its monitor is reached: a Unix socket, TCP, libvirt; and that QEMU has then closed
// what it was handed.
//
// strace sends the signal, as the program is about to say the next but one thing after "stop".
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "../guest/guest_tests.h"
#include "faulted_program.h"
#include "fixtures/sample/temporary_directory.h"

namespace ktstr {
namespace {

using std::chrono::seconds;
using synthetic::TemporaryDirectory;

struct Way {
  const char* name;
  const char* monitor;  // QEMU's -qmp; "DIR" stands for a directory
  const char* address;  // the program's --qmp
};

void PrintTo(const Way& way, std::ostream* os) { *os << way.name; }

class MonitorsTest : public testing::TestWithParam<Way> {
 protected:
  std::string Filled(std::string text) const {
    for (const auto& [word, value] :
         {std::pair("DIR", directory_.path().string()), std::pair("PID", std::to_string(getpid())),
          std::pair("PORT", port_)}) {
      const size_t at = text.find(word);
      if (at != std::string::npos) text.replace(at, std::strlen(word), value);
    }
    return text;
  }

  void StartQemu() {
    auto [ours, theirs] = *MakeSocketPair();
    auto started =
        ChildProcess::Start({.argv = {"qemu-system-x86_64",
                                      "-nodefaults",
                                      "-display",
                                      "none",
                                      "-accel",
                                      "tcg",
                                      "-name",
                                      Filled("guest=ktstr-PID"),
                                      "-M",
                                      "q35,memory-backend=ram",
                                      "-m",
                                      "64M",
                                      "-object",
                                      "memory-backend-memfd,id=ram,size=64M,share=on",
                                      "-chardev",
                                      fmt::format("socket,id=own,fd={}", theirs.get()),
                                      "-mon",
                                      "chardev=own,mode=control",
                                      "-qmp",
                                      Filled(GetParam().monitor) + ",server=on,wait=off"},
                             .kept_fds = {theirs.get()}});
    ASSERT_OK(started);
    qemu_.emplace(*std::move(started));
    theirs.Close();
    auto qmp = QmpClient::Open(std::move(ours), "QEMU", seconds(60));
    ASSERT_OK(qmp);
    qmp_ = *std::move(qmp);
    // "disconnected:tcp:127.0.0.1:40123,server=on", where the system has chosen the port.
    const auto chardevs = qmp_->Execute("query-chardev");
    ASSERT_OK(chardevs);
    const std::string text = chardevs->dump();
    constexpr std::string_view kBefore = "tcp:127.0.0.1:";
    const size_t at = text.find(kBefore);
    if (at == std::string::npos) return;
    const size_t digits = at + kBefore.size();
    port_ = text.substr(digits, text.find_first_not_of("0123456789", digits) - digits);
  }

  // Captures behind strace with these options.
  ProgramEnd Capture(std::vector<std::string> strace) const {
    std::vector<std::string> argv = {
        "env",
        Filled("KTSTR_FAKE_VIRSH=unix:DIR/qmp"),
        fmt::format("PATH={}:{}", KTSTR_FAKE_VIRSH_DIR, std::getenv("PATH")),
        "strace",
        "-qq",
        "-s",
        "300",
        "-o",
        directory_ / "trace"};
    argv.insert(argv.end(), strace.begin(), strace.end());
    argv.insert(argv.end(), {KTSTR_CAPTURE_PROGRAM, "--qmp", Filled(GetParam().address), "--pid",
                             std::to_string(qemu_->pid()), "--force", "-o", out_ / "a.kts"});
    return RunToEnd(argv);
  }

  // Which of the program's questions stops the guest; the first is 1.
  int NumberOfStop() const {
    std::ifstream file(directory_ / "trace");
    int number = 0;
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("sendmsg(")) continue;
      ++number;
      if (line.find(R"(\"execute\":\"stop\")") != std::string::npos) return number;
    }
    return 0;
  }

  TemporaryDirectory directory_, out_;
  std::optional<ChildProcess> qemu_;
  std::unique_ptr<QmpClient> qmp_;
  std::string port_;
};

TEST_P(MonitorsTest, AGuestGoesOnWhenItsCaptureIsKilled) {
  ASSERT_NO_FATAL_FAILURE(StartQemu());
  const ProgramEnd whole = Capture({"-e", "trace=sendmsg"});
  ASSERT_EQ(whole.exit_code, 0) << whole.said;
  const int stop = NumberOfStop();
  ASSERT_GT(stop, 0) << "strace saw no stop";
  EXPECT_TRUE(AwaitGuards());
  std::filesystem::remove(out_ / "a.kts");
  qmp_->DropEvents("STOP");
  qmp_->DropEvents("RESUME");
  const ProgramEnd killed =
      Capture({"-e", fmt::format("inject=sendmsg:signal=KILL:when={}", stop + 2)});
  EXPECT_EQ(killed.exit_code, -1) << killed.said;
  EXPECT_OK(qmp_->WaitForEvent("STOP", After(seconds(30))));
  EXPECT_OK(qmp_->WaitForEvent("RESUME", After(seconds(30))));
  EXPECT_EQ(AwaitRunning(*qmp_), "running");
  EXPECT_TRUE(AwaitGuards());
  EXPECT_EQ(HandedFiles(*qmp_), 0u);
  EXPECT_TRUE(out_.empty());
  const ProgramEnd again = Capture({"-e", "trace=none"});
  EXPECT_EQ(again.exit_code, 0) << again.said;
}

INSTANTIATE_TEST_SUITE_P(Ways, MonitorsTest,
                         testing::Values(Way{"Socket", "unix:DIR/qmp", "DIR/qmp"},
                                         Way{"Tcp", "tcp:127.0.0.1:0", "localhost:PORT"},
                                         Way{"Libvirt", "unix:DIR/qmp", "libvirt:ktstr-PID"}),
                         [](const testing::TestParamInfo<Way>& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr

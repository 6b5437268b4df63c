#include "analyze/text/pager.h"

#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace ktstr {

namespace {

std::string PagerCommand() {
  for (const char* name : {"KTSTR_PAGER", "PAGER"}) {
    if (const char* command = std::getenv(name)) return command;
  }
  return "less -FRX";
}

// Of a terminal that a pager can move about on; 0 rows where there is none. A line may take several
// rows, so that what is counted as long is long.
bool FitsOnScreen(const std::string& text) {
  const char* terminal = std::getenv("TERM");
  if (terminal == nullptr || std::string_view(terminal) == "dumb") return true;
  winsize size = {};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return true;
  if (size.ws_row == 0) return true;
  // The prompt comes below.
  return std::ranges::count(text, '\n') < size.ws_row;
}

// The pager answers Ctrl-C, and this process outlives it.
class IgnoringInterrupts {
 public:
  IgnoringInterrupts() {
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGINT, &ignore, &old_interrupt_);
    // Who leaves the pager before the end has seen enough.
    sigaction(SIGPIPE, &ignore, &old_pipe_);
  }
  ~IgnoringInterrupts() {
    sigaction(SIGINT, &old_interrupt_, nullptr);
    sigaction(SIGPIPE, &old_pipe_, nullptr);
  }
  IgnoringInterrupts(const IgnoringInterrupts&) = delete;
  IgnoringInterrupts& operator=(const IgnoringInterrupts&) = delete;

 private:
  struct sigaction old_interrupt_ = {}, old_pipe_ = {};
};

}  // namespace

bool ShownInPager(const std::string& text) {
  if (FitsOnScreen(text)) return false;
  const std::string command = PagerCommand();
  if (command.find_first_not_of(' ') == std::string::npos || command == "cat") return false;
  // What a less without options of its own is started with, as git does: it ends by itself where
  // all fits, shows colours, and leaves the text on the screen.
  setenv("LESS", "FRX", /*replace=*/0);
  std::FILE* pager = popen(command.c_str(), "w");
  if (pager == nullptr) return false;
  const IgnoringInterrupts ignoring;
  std::fwrite(text.data(), 1, text.size(), pager);
  const int status = pclose(pager);
  // As the shell says that there is no such program, or that it cannot be run.
  constexpr int kNotFound = 127, kNotRun = 126;
  return !(WIFEXITED(status) &&
           (WEXITSTATUS(status) == kNotFound || WEXITSTATUS(status) == kNotRun));
}

}  // namespace ktstr

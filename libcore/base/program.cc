#include "libcore/base/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <system_error>

#include "libcore/base/output.h"

namespace ktstr {

namespace {

const char* program_name = "ktstr";

// Without allocating: there may be nothing left to allocate.
void Say(const char* what) {
  for (const char* piece : {program_name, ": ", what, "\n"}) {
    if (write(STDERR_FILENO, piece, std::strlen(piece)) < 0) return;
  }
}

constexpr char kNoMemory[] = "there is not enough memory";
constexpr int kFailed = static_cast<int>(ExitCode::kEnvironment);

// Of an exception that nobody takes, as in a thread. There is only what the standard library throws
// when the system refuses it something.
[[noreturn]] void EndAtException() {
  if (const std::exception_ptr thrown = std::current_exception()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::bad_alloc&) {
      Say(kNoMemory);
      _exit(kFailed);
    } catch (const std::system_error& error) {
      Say(error.what());
      _exit(kFailed);
    } catch (const std::exception& error) {
      Say(error.what());
    }
  }
  std::abort();
}

// A descriptor that is not there stays unusable: writing to it must fail, not go to the next file
// that is opened.
void FillStandardDescriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // Takes the lowest number, which is this one; in the direction that nobody uses.
    std::ignore = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace

int RunProgram(const char* name, int argc, char** argv, int (*run)(int argc, char** argv)) {
  program_name = name;
  std::set_terminate(EndAtException);
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  FillStandardDescriptors();
  int code = kFailed;
  try {
    code = run(argc, argv);
  } catch (const std::bad_alloc&) {
    Say(kNoMemory);
    return kFailed;
  } catch (const std::system_error& error) {
    Say(error.what());
    return kFailed;
  }
  const auto lost = Output::Standard().lost();
  if (!lost) return code;
  // Where the command ended with this very error, it has told of it.
  if (code != kFailed) Say(lost->ToString().c_str());
  return kFailed;
}

}  // namespace ktstr

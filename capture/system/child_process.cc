#include "capture/system/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <queue>

#include "capture/system/start_thread.h"
#include "capture/system/system_error.h"

namespace ktstr {

namespace {

// The kernel sends a child its death signal when the *thread* that forked it ends (prctl(2),
// PR_SET_PDEATHSIG). All children are therefore forked by one thread that lives as long as we do.
class ForkThread {
 public:
  static Result<ForkThread*> Get() {
    static std::mutex mutex;
    static ForkThread* thread = nullptr;  // never destroyed: its thread never ends
    const std::lock_guard lock(mutex);
    // A process that was forked from one of ours has no such thread yet.
    if (thread == nullptr || thread->owner_ != getpid()) {
      auto made = std::unique_ptr<ForkThread>(new ForkThread);
      auto started =
          KTSTR_TRY(StartThread("that starts processes", [of = made.get()] { of->Serve(); }));
      started.detach();
      thread = made.release();
    }
    return thread;
  }

  pid_t Run(std::function<pid_t()> fork_child) {
    std::packaged_task<pid_t()> task(std::move(fork_child));
    std::future<pid_t> result = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      tasks_.push(std::move(task));
    }
    wake_.notify_one();
    return result.get();
  }

 private:
  ForkThread() = default;

  [[noreturn]] void Serve() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !tasks_.empty(); });
      std::packaged_task<pid_t()> task = std::move(tasks_.front());
      tasks_.pop();
      lock.unlock();
      task();
    }
  }

  const pid_t owner_ = getpid();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::queue<std::packaged_task<pid_t()>> tasks_;
};

struct Preparation {
  std::vector<char*> argv;
  std::vector<int> kept;  // sorted, the error pipe included
  int null_fd, stdout_fd, stderr_fd, error_pipe;
  pid_t parent;
  bool outlives_us;
};

// Between fork and exec: nothing here may allocate or lock.
[[noreturn]] void BecomeChild(const Preparation& p) {
  if (p.outlives_us) {
    setsid();  // a terminal that closes is not its business
  } else {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != p.parent) _exit(127);  // we ended before the line above
    setpgid(0, 0);
  }
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(S_IRWXG | S_IRWXO);
  dup2(p.null_fd, 0);
  dup2(p.stdout_fd < 0 ? p.null_fd : p.stdout_fd, 1);
  dup2(p.stderr_fd < 0 ? p.null_fd : p.stderr_fd, 2);
  CloseFilesBut(p.kept);
  for (const int fd : p.kept) fcntl(fd, F_SETFD, fd == p.error_pipe ? FD_CLOEXEC : 0);
  execvp(p.argv[0], p.argv.data());
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(p.error_pipe, &error, sizeof error);
  _exit(127);
}

}  // namespace

void CloseFilesBut(const std::vector<int>& kept) {
  unsigned from = 3;
  for (const int fd : kept) {
    if (fd < 3) continue;
    if (unsigned(fd) > from) syscall(SYS_close_range, from, unsigned(fd) - 1, 0);
    from = unsigned(fd) + 1;
  }
  syscall(SYS_close_range, from, ~0U, 0);
}

Result<ChildProcess> ChildProcess::Start(const ChildOptions& options) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  int pipe_fds[2];
  if (!null.valid() || pipe2(pipe_fds, O_CLOEXEC) != 0) return FailErrno("preparing a process");
  const UniqueFd error_reader(pipe_fds[0]);
  UniqueFd error_writer(pipe_fds[1]);

  Preparation preparation = {.kept = options.kept_fds,
                             .null_fd = null.get(),
                             .stdout_fd = options.stdout_fd,
                             .stderr_fd = options.stderr_fd,
                             .error_pipe = error_writer.get(),
                             .parent = getpid(),
                             .outlives_us = options.outlives_us};
  for (const std::string& argument : options.argv) {
    preparation.argv.push_back(const_cast<char*>(argument.c_str()));
  }
  preparation.argv.push_back(nullptr);
  preparation.kept.push_back(error_writer.get());
  std::ranges::sort(preparation.kept);

  ForkThread* const forks = KTSTR_TRY(ForkThread::Get());
  const pid_t pid = forks->Run([&] {
    const pid_t child = fork();
    if (child == 0) BecomeChild(preparation);
    return child < 0 ? -errno : child;
  });
  if (pid < 0) return FailErrno("starting " + options.argv[0], -pid);
  ChildProcess process(pid, UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))));
  error_writer.Close();
  int error = 0;
  if (read(error_reader.get(), &error, sizeof error) == sizeof error) {
    if (error == ENOENT) {
      return Fail(ErrorCode::kIo, fmt::format("there is no program '{}'", options.argv[0]));
    }
    return FailErrno("starting " + options.argv[0], error);
  }
  if (!process.pidfd_.valid()) return FailErrno("watching " + options.argv[0]);
  return process;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      status_(other.status_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    Kill();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    status_ = other.status_;
  }
  return *this;
}

ChildProcess::~ChildProcess() { Kill(); }

Result<int> ChildProcess::Wait(Deadline deadline) {
  if (status_) return *status_;
  for (;;) {
    pollfd waiting = {pidfd_.get(), POLLIN, 0};
    const int ready = poll(&waiting, 1, PollTimeout(deadline));
    if (ready == 0) {
      return Fail(ErrorCode::kTimeout, fmt::format("process {} still runs", pid_));
    }
    if (ready > 0) break;
    if (errno != EINTR) return FailErrno(fmt::format("waiting for process {}", pid_));
  }
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) {
    return FailErrno(fmt::format("waiting for process {}", pid_));
  }
  status_ = status;
  return status;
}

void ChildProcess::Kill() {
  if (pid_ < 0 || status_) return;
  kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
  status_ = status;
}

std::string DescribeWaitStatus(int status) {
  if (WIFEXITED(status)) return fmt::format("ended with exit status {}", WEXITSTATUS(status));
  if (WIFSIGNALED(status)) {
    return fmt::format("was killed by signal {} ({})", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
  }
  return fmt::format("has wait status {:#x}", status);
}

}  // namespace ktstr

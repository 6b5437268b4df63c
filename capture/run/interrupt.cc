#include "capture/run/interrupt.h"

#include <signal.h>
#include <sys/eventfd.h>

#include "capture/system/start_thread.h"
#include "capture/system/system_error.h"

namespace ktstr {

Result<std::unique_ptr<Interrupt>> Interrupt::Make() {
  UniqueFd event(eventfd(0, EFD_CLOEXEC));
  if (!event.valid()) return FailErrno("preparing for Ctrl-C");
  return std::unique_ptr<Interrupt>(new Interrupt(std::move(event)));
}

Result<std::unique_ptr<Interrupt>> Interrupt::FromSignals() {
  auto interrupt = KTSTR_TRY(Make());
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  KTSTR_TRY(StartThread("that waits for Ctrl-C", [signals, target = interrupt.get()] {
    for (int signal; sigwait(&signals, &signal) == 0;) target->Trigger();
  })).detach();
  return interrupt;
}

void Interrupt::Trigger() {
  if (count_.fetch_add(1) > 0) insisted_ = true;
  eventfd_write(event_.get(), 1);
}

}  // namespace ktstr

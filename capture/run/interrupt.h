// Ctrl-C for programs that have something to finish. The first one asks them to end; the second one
// tells them to end at once, whatever is left undone.
#pragma once

#include <atomic>
#include <memory>

#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

class Interrupt {
 public:
  // One that only Trigger() sets off. Errors: kIo.
  static Result<std::unique_ptr<Interrupt>> Make();
  // One that SIGINT and SIGTERM set off from now on, in the whole process; call it before other
  // threads are started. It must live as long as the process.
  static Result<std::unique_ptr<Interrupt>> FromSignals();

  void Trigger();

  bool asked() const { return count_.load() > 0; }
  // For poll(2): readable once asked().
  int fd() const { return event_.get(); }
  // True when the end must come at once, work half done or not.
  const std::atomic<bool>* insisted() const { return &insisted_; }

 private:
  explicit Interrupt(UniqueFd event) : event_(std::move(event)) {}

  UniqueFd event_;
  std::atomic<int> count_ = 0;
  std::atomic<bool> insisted_ = false;
};

}  // namespace ktstr

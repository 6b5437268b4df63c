// Stops a running guest, and lets it go on: the token that everything which touches a live guest
// asks for.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "capture/qemu/qmp_client.h"
#include "capture/thaw_guard.h"
#include "libcore/base/result.h"
#include "libcore/kernel/exclusive.h"

namespace ktstr {

// What QEMU says of the machine (qapi/run-state.json).
struct QemuRunState {
  std::string name;
  bool running = false;
};

// Errors: kPeer.
Result<QemuRunState> AskRunState(QmpClient& qmp);

// While one of these lives, every vCPU of the guest is parked and its block I/O is quiet. When it
// goes, the guest goes on if it ran before; one that was stopped before (paused, at a breakpoint,
// panicked, …) stays stopped. A guest of somebody else's, which goes on when we end, has a guard
// that sees to that however we end, kill -9 included.
class Frozen {
 public:
  // Stops the guest. `qmp` must outlive the token. Errors: as QmpClient::Execute; kPeer when the
  // guest is in a state that cannot be frozen (waiting for an incoming migration, for example);
  // kIo. After an error, too, the guest goes on as soon as QEMU answers.
  static Result<Frozen> Freeze(QmpClient& qmp);

  Frozen(Frozen&& other) noexcept = default;
  Frozen& operator=(Frozen&& other) noexcept;
  // Resumes as Resume() does; an error is lost, so a caller who cares calls Resume() himself.
  ~Frozen();

  // Result of what `work(const Exclusive&)` gives, which runs within this freeze: until it returns
  // the guest cannot be let go, so what it reads, changes and writes back is one step to the guest.
  // Errors: kInvalidArgument when the freeze has ended already.
  template <typename Work>
  auto Exclusively(Work&& work) -> Result<std::invoke_result_t<Work, const Exclusive&>>;

  // Ends the freeze. Errors: as QmpClient::Execute; kInvalidArgument within Exclusively. A guest
  // of somebody else's that could not be let go on is then left to its guard.
  Status Resume();
  // Ends the freeze after something has failed: that error, with what became of the guest when it
  // could not be let go on.
  Error ResumeAfter(Error error);
  // Ends the token without letting the guest go on: for a machine that is ended. Not to be called
  // within Exclusively.
  void Abandon();

  QmpClient& qmp() const { return *state_->qmp; }
  // QEMU's run state before, such as "running", "paused", "debug", "postmigrate".
  const std::string& state_before() const { return state_->before; }
  bool was_running() const { return state_->was_running; }
  // Wall-clock time at which the guest stood still.
  std::chrono::system_clock::time_point since() const { return state_->since; }
  // How long it has been standing still.
  std::chrono::microseconds Age() const;

  // Called once the guest goes on, if it does, in the order in which they are said.
  void OnResume(std::function<void()> then) { state_->on_resume.push_back(std::move(then)); }

  // The device state of this freeze, once SaveDeviceState (qemu/device_state.h) has saved it.
  std::shared_ptr<const std::vector<std::byte>>& saved_device_state() { return state_->saved; }

 private:
  struct State {
    QmpClient* qmp;
    std::string before;
    bool was_running;
    std::chrono::system_clock::time_point since;
    std::chrono::steady_clock::time_point since_steady;
    std::optional<ThawGuard> guard;  // of a guest of somebody else's
    std::shared_ptr<const std::vector<std::byte>> saved;
    std::vector<std::function<void()>> on_resume;
    bool lent = false;  // Exclusively is at work
  };
  explicit Frozen(State state) : state_(std::make_unique<State>(std::move(state))) {}

  std::unique_ptr<State> state_;  // null once resumed, abandoned or moved from
};

template <typename Work>
auto Frozen::Exclusively(Work&& work) -> Result<std::invoke_result_t<Work, const Exclusive&>> {
  if (state_ == nullptr || state_->lent) {
    return Fail(ErrorCode::kInvalidArgument,
                "the guest's memory cannot be changed: this freeze has ended, or is used already");
  }
  struct Loan {
    explicit Loan(State* of) : state(of) { state->lent = true; }
    ~Loan() { state->lent = false; }
    State* state;
  } loan(state_.get());
  return Exclusive::Lend(std::forward<Work>(work));
}

}  // namespace ktstr

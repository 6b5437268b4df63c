#include "capture/freeze.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "capture/qemu/json_access.h"

namespace ktstr {

namespace {

// What becomes of a guest that QEMU did not let go on.
constexpr char kGuarded[] =
    "the guest goes on when QEMU answers again, for which a process of ours waits (10 minutes at "
    "most)";
constexpr char kStandsStill[] = "the guest stands still";

}  // namespace

Result<QemuRunState> AskRunState(QmpClient& qmp) {
  const nlohmann::json status = KTSTR_TRY(qmp.Execute("query-status"));
  const std::string name = StringMember(status, "status");
  const nlohmann::json* running = JsonMember(status, "running");
  if (name.empty() || running == nullptr || !running->is_boolean()) {
    return Fail(StrangeAnswer(qmp.name(), "query-status", status));
  }
  return QemuRunState{name, running->get<bool>()};
}

Result<Frozen> Frozen::Freeze(QmpClient& qmp) {
  const auto [before, was_running] = KTSTR_TRY(AskRunState(qmp));
  // QEMU runStates (qapi/run-state.json) in which there is no machine to look at yet, or in which
  // it is being saved or loaded by somebody else.
  for (const char* busy :
       {"inmigrate", "finish-migrate", "save-vm", "restore-vm", "colo", "preconfig"}) {
    if (before == busy) {
      return Fail(
          ErrorCode::kPeer,
          fmt::format("the guest cannot be frozen now: {} is in state '{}'", qmp.name(), before));
    }
  }
  std::optional<ThawGuard> guard;
  if (!qmp.address().empty()) {
    guard.emplace(KTSTR_TRY(ThawGuard::Start(
        qmp.address(), was_running ? ThawGuard::Guest::kGoesOn : ThawGuard::Guest::kStaysPut)));
  }
  auto stopped = qmp.Execute("stop");
  Frozen frozen(State{&qmp,
                      before,
                      was_running,
                      std::chrono::system_clock::now(),
                      std::chrono::steady_clock::now(),
                      std::move(guard),
                      nullptr,
                      {}});
  if (stopped) return frozen;
  // A QEMU that did not answer in time may stop the guest all the same, or later.
  return Fail(frozen.ResumeAfter(std::move(stopped).error()));
}

Frozen& Frozen::operator=(Frozen&& other) noexcept {
  if (this != &other) {
    std::ignore = Resume();
    state_ = std::move(other.state_);
  }
  return *this;
}

Frozen::~Frozen() { std::ignore = Resume(); }

Status Frozen::Resume() {
  if (state_ != nullptr && state_->lent) {
    return Fail(ErrorCode::kInvalidArgument,
                "the guest cannot go on while its memory is being changed");
  }
  const std::unique_ptr<State> state = std::move(state_);
  if (state == nullptr) return {};
  // Where this fails the guard takes over, since nobody dismisses it.
  if (state->was_running) {
    auto went_on = state->qmp->Execute("cont");
    if (!went_on) {
      return Fail(std::move(went_on).error().Wrap(state->guard ? kGuarded : kStandsStill));
    }
    for (const auto& then : state->on_resume) then();
  }
  if (state->guard) state->guard->Dismiss();
  return {};
}

Error Frozen::ResumeAfter(Error error) {
  const auto resumed = Resume();
  return resumed ? error : std::move(error).Wrap(resumed.error().message());
}

void Frozen::Abandon() {
  if (state_ != nullptr && state_->guard) state_->guard->Dismiss();
  state_.reset();
}

std::chrono::microseconds Frozen::Age() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               state_->since_steady);
}

}  // namespace ktstr

#include "capture/freeze.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "capture/qemu/json_access.h"

namespace ktstr {

Result<Frozen> Frozen::Freeze(QmpClient& qmp) {
  const nlohmann::json status = KTSTR_TRY(qmp.Execute("query-status"));
  const std::string before = StringMember(status, "status", "unknown");
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
  const bool was_running = BoolMember(status, "running");
  KTSTR_TRY(qmp.Execute("stop"));
  return Frozen(State{&qmp, before, was_running, std::chrono::system_clock::now(),
                      std::chrono::steady_clock::now(), nullptr, nullptr});
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
  if (state == nullptr || !state->was_running) return {};
  KTSTR_TRY(state->qmp->Execute("cont"));
  if (state->on_resume) state->on_resume();
  return {};
}

std::chrono::microseconds Frozen::Age() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               state_->since_steady);
}

}  // namespace ktstr

// Loads schedulers, one below the other, and then lets one of them err or asks the host to freeze
// the guest. Each argument is the request of one, in order: {"object", "variables"} as
// Scheduler::Load takes them, and "fault", variables that are set when all are enabled.
#include <stdio.h>
#include <unistd.h>

#include <list>
#include <nlohmann/json.hpp>

#include "capture/guest/scheduler.h"

namespace {

int Fail(const std::string& error) {
  printf("%s\n", error.c_str());
  fflush(stdout);
  return 1;
}

bool AskForAFreeze() {
  FILE* request = fopen("/ktstr/capture", "w");
  if (request == nullptr) return false;
  fputs("all schedulers are enabled\n", request);
  return fclose(request) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::list<ktstr::guest::Scheduler> schedulers;
  for (int i = 1; i < argc; ++i) {
    const auto error = schedulers.emplace_back().Load(nlohmann::json::parse(argv[i]));
    if (!error.empty()) return Fail(error);
  }
  int i = 1;
  bool errs = false;
  for (auto& scheduler : schedulers) {
    const auto request = nlohmann::json::parse(argv[i++]);
    if (!request.contains("fault")) continue;
    errs = true;
    const auto error = scheduler.Set({{"variables", request["fault"]}});
    if (!error.empty()) return Fail(error);
  }
  if (!errs && !AskForAFreeze()) return Fail("cannot ask for a freeze");
  for (;;) pause();
}

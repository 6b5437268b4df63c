// Programs of the user's that run in the guest beside the workers.
#pragma once

#include <sys/types.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ktstr::guest {

class PayloadPool {
 public:
  // Starts spec["argv"] under the name spec["name"], with spec["env"] (name → value) added to the
  // environment, and scheduled as task_setting.h says. spec["root"], when it is there, is the
  // directory that it takes for "/"; what only the machine has (/dev, /proc, /sys, …) is put there.
  // Its output, standard and error, is kept. From then on init runs above all (task_setting.h). ""
  // or what went wrong.
  std::string Start(const nlohmann::json& spec);

  // Sends request["signal"], a number, to the process group of the program request["name"]. "" or
  // what went wrong.
  std::string Signal(const nlohmann::json& request);

  // When `pid` was one of them: fills in what the host is told, {"event": "payload-exit", "name",
  // "status" (as waitpid tells it), "output"}, and returns true.
  bool Ended(pid_t pid, int status, nlohmann::json* event);

  // An array of {"name", "pid", "status" (null while it runs), "output"}. Of an output, the last 64
  // KiB.
  nlohmann::json Describe() const;

 private:
  struct Payload {
    std::string name;
    pid_t pid;
    int output;                 // a file in memory
    std::optional<int> status;  // as waitpid tells it; nothing while it runs
  };

  std::vector<Payload> payloads_;
  std::vector<std::string> roots_;  // that are furnished
};

}  // namespace ktstr::guest

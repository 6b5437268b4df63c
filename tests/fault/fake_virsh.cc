// virsh (1) as far as ktstr uses it: "virsh qemu-monitor-command DOMAIN [--pass-fds N,...] --cmd
// JSON" asks the QEMU whose monitor is at KTSTR_FAKE_VIRSH, and prints its reply. Like libvirt's
// own, each run is a client of its own.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "capture/qemu/json_access.h"
#include "capture/qemu/qmp_client.h"

int main(int argc, char** argv) {
  using ktstr::QmpClient;
  using nlohmann::json;
  std::string command;
  std::vector<int> files;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--cmd") == 0) command = argv[i + 1];
    if (std::strcmp(argv[i], "--pass-fds") != 0) continue;
    for (char* at = argv[i + 1]; at != nullptr && *at != '\0';) {
      files.push_back(int(std::strtol(at, &at, 10)));
      at = std::strchr(at, ',');
      if (at != nullptr) ++at;
    }
  }
  const char* monitor = std::getenv("KTSTR_FAKE_VIRSH");
  const json asked = json::parse(command, nullptr, false);
  if (monitor == nullptr || !asked.is_object()) return 1;
  const auto qmp = QmpClient::Connect(monitor, std::chrono::seconds(30));
  if (!qmp) {
    std::fprintf(stderr, "error: %s\n", qmp.error().ToString().c_str());
    return 1;
  }
  const json* arguments = ktstr::JsonMember(asked, "arguments");
  const auto answer = (*qmp)->Execute(ktstr::StringMember(asked, "execute"),
                                      arguments == nullptr ? json() : *arguments, {.fds = files});
  const json reply =
      answer ? json{{"return", *answer}}
             : json{{"error", {{"class", "GenericError"}, {"desc", answer.error().ToString()}}}};
  std::printf("%s\n", reply.dump().c_str());
  return 0;
}

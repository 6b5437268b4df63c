#include "capture/qemu/machine_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "capture/qemu/json_access.h"
#include "capture/qemu/json_socket.h"

namespace ktstr {

namespace {

using nlohmann::json;

// QEMU's names of its machine classes end so (MACHINE_TYPE_NAME in include/hw/boards.h).
constexpr std::string_view kTypeSuffix = "-machine";

// An X86CPUFeatureWordInfo (qapi/machine-target.json) as "LEAF.REGISTER" or
// "LEAF.SUBLEAF.REGISTER".
std::string WordName(const json& word) {
  std::string name = fmt::format("{:x}.", IntegerMember(word, "cpuid-input-eax").value_or(0));
  if (const auto subleaf = IntegerMember(word, "cpuid-input-ecx")) {
    name += fmt::format("{:x}.", *subleaf);
  }
  std::string reg = StringMember(word, "cpuid-register");
  std::ranges::transform(reg, reg.begin(), [](unsigned char c) { return std::tolower(c); });
  return name + reg;
}

}  // namespace

Result<MachineFacts> AskMachineFacts(QmpClient& qmp) {
  MachineFacts facts;
  const json type = KTSTR_TRY(qmp.Execute("qom-get", {{"path", "/machine"}, {"property", "type"}}));
  if (!type.is_string()) return Fail(StrangeAnswer(qmp.name(), "qom-get", type));
  facts.type = type.get<std::string>();
  if (facts.type.ends_with(kTypeSuffix)) {
    facts.type.resize(facts.type.size() - kTypeSuffix.size());
  }
  const json cpus = KTSTR_TRY(qmp.Execute("query-cpus-fast"));
  const std::string cpu = cpus.is_array() && !cpus.empty() ? StringMember(cpus[0], "qom-path") : "";
  if (cpu.empty()) return Fail(StrangeAnswer(qmp.name(), "query-cpus-fast", cpus));
  const auto words = qmp.Execute("qom-get", {{"path", cpu}, {"property", "feature-words"}});
  if (!words) {
    // CPUs of other kinds have no such words; what is wrong with QEMU itself is wrong with all.
    const bool refused = words.error().code() == ErrorCode::kPeer && !HasHungUp(qmp.fd());
    return refused ? Result<MachineFacts>(facts) : Fail(words.error());
  }
  if (!words->is_array()) return Fail(StrangeAnswer(qmp.name(), "qom-get", *words));
  for (const json& word : *words) {
    const auto bits = IntegerMember(word, "features");
    if (!bits) return Fail(StrangeAnswer(qmp.name(), "qom-get", *words));
    facts.cpu_features[WordName(word)] = static_cast<uint32_t>(*bits);
  }
  return facts;
}

}  // namespace ktstr

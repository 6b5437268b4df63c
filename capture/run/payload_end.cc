#include "capture/run/payload_end.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "capture/qemu/json_access.h"
#include "capture/system/child_process.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

std::string LastLine(std::string_view output) {
  constexpr std::string_view kBlank = " \t\r\n";
  constexpr size_t kMost = 200;
  const size_t last = output.find_last_not_of(kBlank);
  if (last == output.npos) return "";
  output = output.substr(0, last + 1);
  const size_t line = output.rfind('\n');
  if (line != output.npos) output.remove_prefix(line + 1);
  return SafeText(std::string(output.substr(0, kMost)));
}

std::string DescribePayloadEnd(const nlohmann::json& event) {
  const std::string last = LastLine(StringMember(event, "output"));
  return fmt::format("the program {} {}{}{}", SafeText(StringMember(event, "name")),
                     DescribeWaitStatus(int(IntegerMember(event, "status").value_or(0))),
                     last.empty() ? "" : ": ", last);
}

}  // namespace ktstr

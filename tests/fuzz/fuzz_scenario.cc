// Proves: whatever a scenario's file or a trigger on a command line says, reading it ends with a
// scenario or with the line of what is wrong.
#include "capture/scenario/scenario_reader.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  const std::string_view text = fuzz::AsText(data, size);
  const auto scenario = ParseScenario(text, "x.toml");
  fuzz::Require(scenario || scenario.error().message().starts_with("x.toml"),
                "an error names the file");
  (void)ParseTrigger(std::string(text.substr(0, text.find('\n'))));
  return 0;
}

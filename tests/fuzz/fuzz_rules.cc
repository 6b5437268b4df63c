// Proves: whatever a file of rules, or an entry of a corpus, says, reading it ends with rules or
// with the line of what is wrong.
#include "analyze/check/rule.h"
#include "analyze/corpus/entry.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  const auto rules = ParseRules(fuzz::AsText(data, size), "x.toml");
  fuzz::Require(rules || rules.error().message().starts_with("x.toml"), "an error names the file");
  (void)ReadEntry(fuzz::MemoryFile(fuzz::AsBytes(data, size)).path());
  return 0;
}

#include "analyze/text/colour.h"

#include <unistd.h>

#include <cstdlib>

namespace ktstr {

bool ColoursAreWanted() {
  const char* none = std::getenv("NO_COLOR");
  if (none != nullptr && *none != 0) return false;
  const char* terminal = std::getenv("TERM");
  if (terminal == nullptr || std::string_view(terminal) == "dumb") return false;
  return isatty(STDOUT_FILENO) == 1;
}

std::string InColourOfSeverity(std::string_view severity) {
  // ECMA-48, SGR: the foreground's eight colours, which every terminal has.
  const std::string_view code = severity == "error"     ? "31"
                                : severity == "warning" ? "33"
                                : severity == "info"    ? "36"
                                                        : "";
  if (code.empty()) return std::string(severity);
  return "\x1b[" + std::string(code) + "m" + std::string(severity) + "\x1b[m";
}

}  // namespace ktstr

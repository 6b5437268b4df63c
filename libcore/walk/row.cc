#include "ktstr/walk/row.h"

#include <fmt/format.h>

namespace ktstr {

std::string ToText(Hex hex) { return fmt::format("0x{:016x}", hex.value); }

}  // namespace ktstr

#include "libcore/walk/system/timer_clock.h"

#include <fmt/format.h>

#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/globals.h"

namespace ktstr {

std::optional<int64_t> ReadMonotonicNs(const Walk& walk) {
  const auto fast = Globals(walk).Address({"tk_fast_mono"});
  if (!fast) return std::nullopt;
  CellReader object(walk, *fast, "tk_fast_mono");
  Fields fields(walk, "tk_fast");
  const auto sequence = object.Unsigned(fields.Maybe("seq.seqcount.sequence"));
  if (!sequence) return std::nullopt;
  // Readers use the copy that is not being written.
  const std::string copy = fmt::format("base[{}].", *sequence & 1);
  const auto base = object.Integer(fields.Maybe(copy + "base"));
  const auto shifted_ns = object.Unsigned(fields.Maybe(copy + "xtime_nsec"));
  const auto shift = object.Unsigned(fields.Maybe(copy + "shift"));
  if (!base || !shifted_ns || !shift || *shift >= 64) return std::nullopt;
  return *base + static_cast<int64_t>(*shifted_ns >> *shift);
}

}  // namespace ktstr

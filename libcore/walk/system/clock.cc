#include "libcore/walk/system/clock.h"

namespace ktstr {

namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

// The jiffies clock source counts ticks: mult >> shift is the length of one in nanoseconds
// (kernel/time/jiffies.c). HZ itself stands nowhere.
Result<int64_t> ReadHz(const GuestKernel& kernel) {
  const TypeInfo& types = *KTSTR_TRY(kernel.types());
  const Kva clocksource = KTSTR_TRY(kernel.symbol_kva("clocksource_jiffies"));
  const Member mult = KTSTR_TRY(types.FindMember("clocksource", "mult"));
  const Member shift = KTSTR_TRY(types.FindMember("clocksource", "shift"));
  const auto mult_value = KTSTR_TRY(kernel.Read<uint32_t>(clocksource + mult.offset));
  const auto shift_value = KTSTR_TRY(kernel.Read<uint32_t>(clocksource + shift.offset));
  const uint64_t tick_ns = shift_value < 32 ? mult_value >> shift_value : 0;
  if (tick_ns == 0) return Fail(ErrorCode::kDamaged, "clocksource_jiffies has a tick of no length");
  // Rounded: 1000000000 / HZ need not be whole.
  return (kNanosecondsPerSecond + static_cast<int64_t>(tick_ns) / 2) /
         static_cast<int64_t>(tick_ns);
}

int64_t Difference(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

// Nothing when it has no number: jiffies that no kernel has counted.
std::optional<int64_t> Product(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? std::nullopt : std::optional(product);
}

}  // namespace

std::optional<int64_t> KernelClock::uptime_ns() const {
  if (!jiffies || !hz) return std::nullopt;
  // INITIAL_JIFFIES, include/linux/jiffies.h: five minutes before the 32-bit counter wraps.
  const int64_t initial = static_cast<uint32_t>(-300 * *hz);
  return Product(Difference(*jiffies, initial), kNanosecondsPerSecond / *hz);
}

std::optional<int64_t> KernelClock::MsSince(int64_t then) const {
  if (!jiffies) return std::nullopt;
  return ToMs(Difference(*jiffies, then));
}

std::optional<int64_t> KernelClock::NsSince(int64_t then) const {
  if (!jiffies || !hz) return std::nullopt;
  return Product(Difference(*jiffies, then), kNanosecondsPerSecond / *hz);
}

std::optional<int64_t> KernelClock::ToMs(int64_t count) const {
  if (!hz) return std::nullopt;
  const auto ms = Product(count, 1000);
  return ms ? std::optional(*ms / *hz) : std::nullopt;
}

KernelClock ReadKernelClock(const GuestKernel& kernel, Anomalies& anomalies) {
  KernelClock clock;
  const auto jiffies = kernel.ReadSymbol<int64_t>("jiffies_64");
  const auto alias = jiffies ? jiffies : kernel.ReadSymbol<int64_t>("jiffies");
  if (alias) {
    clock.jiffies = *alias;
  } else {
    anomalies.Add(alias.error(), std::nullopt, "reading jiffies");
  }
  const auto hz = ReadHz(kernel);
  if (hz) {
    clock.hz = *hz;
  } else {
    anomalies.Add(hz.error(), std::nullopt, "finding HZ");
  }
  return clock;
}

}  // namespace ktstr

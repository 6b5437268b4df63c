#include "libcore/walk/system/hash_buckets.h"

#include <fmt/format.h>

namespace ktstr {

namespace {
// Sizes come from the guest's own types; those of the kernel's embedded arrays are some KiB.
constexpr uint64_t kMaxBytes = uint64_t{1} << 20;
}  // namespace

Result<std::vector<Kva>> ReadBuckets(const GuestKernel& kernel, Kva base, const Member& buckets) {
  if (buckets.size > kMaxBytes) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("an array of buckets of {} bytes cannot be", buckets.size));
  }
  std::vector<Kva> firsts(buckets.size / sizeof(Kva));
  KTSTR_TRY(kernel.Read(base + buckets.offset, std::as_writable_bytes(std::span<Kva>(firsts))));
  std::erase(firsts, Kva());
  return firsts;
}

}  // namespace ktstr

// What is known of one page of guest memory: its fate, and its bytes where there are any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "libcore/base/address.h"

namespace ktstr {

// What became of a page of guest memory. Only kPresent and kZero have bytes.
enum class PageFate : uint8_t {
  kPresent,      // its bytes are here
  kZero,         // it is known to hold only zero bytes
  kNotCaptured,  // it exists in the guest, but was left out; LeftOutReason says why
  kOutside,      // the guest has no RAM at this frame number
  kDamaged,      // it was stored, but what was stored fails its checksum
};

// Why a capture left a page out.
enum class LeftOutReason : uint8_t {
  kNone,       // it was not left out
  kFree,       // free in the kernel's page allocator
  kPageCache,  // holds contents of a file; of one that was being written perhaps the only copy
  kUserData,   // belongs to user space: anonymous or shared memory, the files of a tmpfs
  kDevice,     // a device's memory
  kScrubbed,   // taken out of an archive that was made to be given away
  kExcluded,   // a dump that this came from did not have it, and it is not known for what reason
};

// Pages of which all are left out for one reason, or all are kept (kNone).
struct AlikePages {
  LeftOutReason reason;
  uint64_t pages;
};

// As shown to people: "present", "zero", "not captured", "outside memory", "damaged".
std::string_view PageFateName(PageFate fate);
// As shown to people: "", "free", "page cache", "user data", "device",
// "scrubbed", "excluded".
std::string_view LeftOutReasonName(LeftOutReason reason);

// A read-only view of one page. The bytes stay valid while the view (or a copy of it) lives; a
// write to the page may or may not show through a view taken earlier.
class PageView {
 public:
  // A page with bytes of its own: `data` points to kPageSize bytes that live at least as long as
  // `pin` (or as the GuestMemory, when pin is null).
  static PageView Present(const std::byte* data, std::shared_ptr<const void> pin = nullptr) {
    return PageView(PageFate::kPresent, LeftOutReason::kNone, data, std::move(pin));
  }
  static PageView Zero();
  static PageView NotCaptured(LeftOutReason reason) {
    return PageView(PageFate::kNotCaptured, reason, nullptr, nullptr);
  }
  static PageView Outside() {
    return PageView(PageFate::kOutside, LeftOutReason::kNone, nullptr, nullptr);
  }
  static PageView Damaged() {
    return PageView(PageFate::kDamaged, LeftOutReason::kNone, nullptr, nullptr);
  }

  PageFate fate() const { return fate_; }
  LeftOutReason left_out_reason() const { return reason_; }
  bool readable() const { return data_ != nullptr; }
  // kPageSize bytes when readable() (zero pages included), nullptr otherwise.
  const std::byte* data() const { return data_; }
  std::span<const std::byte, kPageSize> bytes() const {
    return std::span<const std::byte, kPageSize>(data_, kPageSize);
  }

 private:
  PageView(PageFate fate, LeftOutReason reason, const std::byte* data,
           std::shared_ptr<const void> pin)
      : fate_(fate), reason_(reason), data_(data), pin_(std::move(pin)) {}

  PageFate fate_;
  LeftOutReason reason_;
  const std::byte* data_;
  std::shared_ptr<const void> pin_;
};

}  // namespace ktstr

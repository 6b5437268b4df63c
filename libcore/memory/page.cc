#include "libcore/memory/page.h"

namespace ktstr {

namespace {
alignas(kPageSize) constexpr std::byte kZeroPage[kPageSize] = {};
}  // namespace

PageView PageView::Zero() {
  return PageView(PageFate::kZero, LeftOutReason::kNone, kZeroPage, nullptr);
}

std::string_view PageFateName(PageFate fate) {
  switch (fate) {
    case PageFate::kPresent:
      return "present";
    case PageFate::kZero:
      return "zero";
    case PageFate::kNotCaptured:
      return "not captured";
    case PageFate::kOutside:
      return "outside memory";
    case PageFate::kDamaged:
      return "damaged";
  }
  return "unknown";
}

std::string_view LeftOutReasonName(LeftOutReason reason) {
  switch (reason) {
    case LeftOutReason::kNone:
      return "";
    case LeftOutReason::kFree:
      return "free";
    case LeftOutReason::kPageCache:
      return "page cache";
    case LeftOutReason::kUserData:
      return "user data";
    case LeftOutReason::kDevice:
      return "device";
    case LeftOutReason::kScrubbed:
      return "scrubbed";
    case LeftOutReason::kExcluded:
      return "excluded";
  }
  return "unknown";
}

}  // namespace ktstr

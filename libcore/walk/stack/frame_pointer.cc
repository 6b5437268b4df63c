#include "libcore/walk/stack/frame_pointer.h"

#include <array>
#include <span>
#include <string_view>

namespace ktstr {

// A function of a kernel with frame pointers begins with endbr64 (where there is IBT), with what
// ftrace may change into a call (a five-byte nop), with push %rbp and with mov %rsp, %rbp. Until
// the push the return address is on top of the stack, until the move one word below its top.

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kEndbr = "\xf3\x0f\x1e\xfa"sv, kNop5 = "\x0f\x1f\x44\x00\x00"sv;
constexpr char kCall = '\xe8', kPushBp = '\x55';
constexpr size_t kLongest = kEndbr.size() + kNop5.size() + 1;

}  // namespace

std::optional<OrcEntry> UnwindPrologue(const GuestKernel& kernel, Kva begin, Kva ip) {
  if (ip < begin || ip - begin > kLongest) return std::nullopt;
  std::array<char, kLongest> bytes;
  const size_t size = ip - begin;
  if (!kernel.Read(begin, std::as_writable_bytes(std::span(bytes).first(size)))) {
    return std::nullopt;
  }
  std::string_view done(bytes.data(), size);
  if (done.starts_with(kEndbr)) done.remove_prefix(kEndbr.size());
  if (done.starts_with(kNop5) || (done.starts_with(kCall) && done.size() >= kNop5.size())) {
    done.remove_prefix(kNop5.size());
  }
  if (done.empty())
    return OrcEntry{.sp_offset = 8, .sp_reg = OrcRegister::kSp, .type = OrcType::kCall};
  if (done.size() == 1 && done.front() == kPushBp) {
    return OrcEntry{.sp_offset = 16, .sp_reg = OrcRegister::kSp, .type = OrcType::kCall};
  }
  return std::nullopt;
}

}  // namespace ktstr

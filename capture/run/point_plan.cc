#include "capture/run/point_plan.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace ktstr {

namespace {

class Decoder {
 public:
  Decoder() {
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle_) == CS_ERR_OK) instruction_ = cs_malloc(handle_);
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() {
    if (instruction_ == nullptr) return;
    cs_free(instruction_, 1);
    cs_close(&handle_);
  }

  // The size of the first instruction; 0 when there is none.
  size_t Skip(std::span<const std::byte> text) {
    const auto* code = reinterpret_cast<const uint8_t*>(text.data());
    size_t left = text.size();
    uint64_t at = 0;
    if (instruction_ == nullptr || !cs_disasm_iter(handle_, &code, &left, &at, instruction_)) {
      return 0;
    }
    return at;
  }

 private:
  csh handle_ = 0;
  cs_insn* instruction_ = nullptr;
};

bool Begins(std::span<const std::byte> text, std::initializer_list<int> bytes) {
  if (text.size() < bytes.size()) return false;
  return std::equal(bytes.begin(), bytes.end(), text.begin(),
                    [](int a, std::byte b) { return std::byte(a) == b; });
}

// The nop of five bytes that the kernel leaves where it may put a call or a jump (x86_nops[5] in
// arch/x86/kernel/alternative.c).
bool IsPatchableNop(std::span<const std::byte> text) {
  return Begins(text, {0x0f, 0x1f, 0x44, 0x00, 0x00});
}

// Who needs a debug register more comes first; nothing for those that do well without.
std::optional<int> Need(const PlaceWish& wish) {
  if (!wish.entry && MayBePatched(wish.text)) return 0;
  if (wish.entry && MayBePatched(std::span(wish.text).subspan(PreambleSize(wish.text)))) return 0;
  if (!wish.entry && !wish.instruction_known) return 1;
  if (wish.exact) return 2;
  return std::nullopt;
}

Result<PlannedPlace> InText(const PlaceWish& wish) {
  const size_t preamble = wish.entry ? PreambleSize(wish.text) : 0;
  if (!wish.entry && !wish.instruction_known) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("no instruction begins at {} for certain, and no debug register "
                            "is left: only they can watch it without damage",
                            wish.name));
  }
  if (MayBePatched(std::span(wish.text).subspan(preamble))) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the kernel may rewrite the instruction at {} while it runs, so it "
                            "needs a debug register, and none is left",
                            wish.name));
  }
  return PlannedPlace{wish.address + preamble, BreakpointKind::kSoftware};
}

}  // namespace

std::vector<WatchPiece> AlignedPieces(Kva address, uint64_t size) {
  std::vector<WatchPiece> pieces;
  while (size > 0) {
    const uint64_t alignment =
        address.is_null() ? 8 : uint64_t{1} << std::countr_zero(address.value());
    const uint64_t piece = std::min({alignment, std::bit_floor(size), uint64_t{8}});
    pieces.push_back({address, piece});
    address += piece;
    size -= piece;
  }
  return pieces;
}

Result<std::vector<PlannedPlace>> PlanPlaces(const std::vector<PlaceWish>& wishes,
                                             std::optional<int> registers) {
  std::vector<PlannedPlace> plan(wishes.size());
  for (size_t i = 0; i < wishes.size(); ++i) plan[i].address = wishes[i].address;
  if (!registers) return plan;

  std::vector<size_t> order;
  for (size_t i = 0; i < wishes.size(); ++i) order.push_back(i);
  constexpr int kNone = 100;
  std::ranges::stable_sort(order, {}, [&](size_t i) { return Need(wishes[i]).value_or(kNone); });
  int left = *registers;
  for (const size_t i : order) {
    if (left > 0 && Need(wishes[i])) {
      --left;
    } else {
      plan[i] = KTSTR_TRY(InText(wishes[i]));
    }
  }
  return plan;
}

size_t PreambleSize(std::span<const std::byte> text) {
  size_t size = 0;
  // endbr64, or what seals it, older and newer (gen_endbr_poison in arch/x86/include/asm/ibt.h).
  if (Begins(text, {0xf3, 0x0f, 0x1e, 0xfa}) || Begins(text, {0x66, 0x0f, 0x1f, 0x00}) ||
      Begins(text, {0x0f, 0x1f, 0x40, 0xd6})) {
    size += 4;
  }
  if (IsPatchableNop(text.subspan(std::min(size, text.size())))) size += 5;
  return size;
}

bool MayBePatched(std::span<const std::byte> text) {
  // call, jmp, short jmp, cs call; int3, when a poke is going on or a kprobe is set.
  constexpr int kPatched[] = {0xe8, 0xe9, 0xeb, 0x2e, 0xcc};
  if (text.empty() || IsPatchableNop(text)) return true;
  if (Begins(text, {0x66, 0x90})) return true;  // of a static key that is a short jump at times
  return std::ranges::any_of(kPatched, [&](int byte) { return std::byte(byte) == text[0]; });
}

size_t InstructionSize(std::span<const std::byte> text) { return Decoder().Skip(text); }

bool InstructionBeginsAt(std::span<const std::byte> text, size_t offset) {
  Decoder decoder;
  size_t at = 0;
  while (at < offset && at < text.size()) {
    const size_t size = decoder.Skip(text.subspan(at));
    if (size == 0) return false;
    at += size;
  }
  return at == offset;
}

}  // namespace ktstr

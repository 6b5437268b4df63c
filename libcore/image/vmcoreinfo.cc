#include "libcore/image/vmcoreinfo.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace ktstr {

namespace {

// VMCOREINFO_BYTES.
constexpr size_t kMaxText = kPageSize;

template <typename T>
std::optional<T> ParseNumber(std::string_view text, int base) {
  T value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<Vmcoreinfo> Vmcoreinfo::Parse(std::string_view text, Pa pa) {
  Vmcoreinfo info;
  info.pa_ = pa;
  if (!text.starts_with(kVmcoreinfoBegin)) {
    return Fail(ErrorCode::kDamaged, fmt::format("there is no VMCOREINFO at {:#x}", pa.value()));
  }
  text = text.substr(0, std::min(text.find('\0'), text.size()));
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const size_t equals = line.find('=');
    if (equals != std::string_view::npos) {
      info.lines_.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  info.release_ = info.lines_.find("OSRELEASE")->second;
  // A copy in somebody's text (a log, a script) has the first line but not the rest.
  if (!info.Symbol("swapper_pg_dir") || !info.Number("phys_base")) {
    return Fail(
        ErrorCode::kDamaged,
        fmt::format("the VMCOREINFO at {:#x} has no swapper_pg_dir and phys_base", pa.value()));
  }
  return info;
}

Result<Vmcoreinfo> Vmcoreinfo::ReadAt(const GuestMemory& memory, Pa pa) {
  std::vector<std::byte> bytes(kMaxText);
  // The text of a note with a header runs into the next page, which need not have been kept when
  // the text ends before it.
  const size_t in_page = kPageSize - pa.page_offset();
  KTSTR_TRY(memory.Read(pa, std::span(bytes).first(in_page)));
  if (AsText(std::span(bytes).first(in_page)).find('\0') == std::string_view::npos &&
      in_page < kMaxText) {
    KTSTR_TRY(memory.Read(pa + in_page, std::span(bytes).subspan(in_page)));
  }
  return Parse(AsText(bytes), pa);
}

std::string Vmcoreinfo::build_id() const { return std::string(Get("BUILD-ID").value_or("")); }

std::optional<std::string_view> Vmcoreinfo::Get(std::string_view key) const {
  const auto found = lines_.find(key);
  if (found == lines_.end()) return std::nullopt;
  return found->second;
}

std::optional<Kva> Vmcoreinfo::Symbol(std::string_view name) const {
  const auto text = Get(fmt::format("SYMBOL({})", name));
  if (!text) return std::nullopt;
  const auto value = ParseNumber<uint64_t>(*text, 16);
  if (!value) return std::nullopt;
  return Kva(*value);
}

std::optional<int64_t> Vmcoreinfo::Number(std::string_view name) const {
  const auto text = Get(fmt::format("NUMBER({})", name));
  return text ? ParseNumber<int64_t>(*text, 10) : std::nullopt;
}

std::optional<uint64_t> Vmcoreinfo::kernel_offset() const {
  const auto text = Get("KERNELOFFSET");
  return text ? ParseNumber<uint64_t>(*text, 16) : std::nullopt;
}

}  // namespace ktstr

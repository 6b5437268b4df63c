#include "replay/vmcore/qemu_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "libcore/base/safe_text.h"

namespace ktstr::vmcore {

namespace {

constexpr std::string_view kStreamMagic = "QEVM";
constexpr uint32_t kStreamVersion = 3;
// Markers (QEMU_VM_* in migration/savevm.h).
enum Marker : uint8_t {
  kEof = 0x00,
  kSectionStart = 0x01,
  kSectionPart = 0x02,
  kSectionEnd = 0x03,
  kSectionFull = 0x04,
  kSubsection = 0x05,
  kDescription = 0x06,
  kConfiguration = 0x07,
  kCommand = 0x08,
  kFooter = 0x7e,
};
// RAM_SAVE_FLAG_* in migration/ram.c.
enum RamFlag : uint64_t {
  kZeroPage = 0x02,
  kMemSize = 0x04,
  kPage = 0x08,
  kEos = 0x10,
  kContinue = 0x20,
  kXbzrle = 0x40,
  kHook = 0x80,
  kCompressed = 0x100,
  kMultifdFlush = 0x200,
};

constexpr uint64_t kMostDeviceState = uint64_t{512} << 20;
constexpr size_t kMostBlocks = 4096;

Error StreamDamaged(uint64_t at, const std::string& what) {
  return Error(ErrorCode::kDamaged, fmt::format("at byte {:#x} {}", at, what));
}

// The stream's bytes, one behind the other. Numbers are big-endian.
class StreamReader {
 public:
  StreamReader(const DumpFile& dump, uint64_t begin) : dump_(dump), buffer_at_(begin) {}

  uint64_t at() const { return buffer_at_ + used_; }
  uint64_t left() const { return dump_.size() - std::min(dump_.size(), at()); }

  Result<std::string> Text(size_t size) {
    std::string text(size, '\0');
    KTSTR_TRY(Take(std::as_writable_bytes(std::span(text))));
    return text;
  }
  // With its length before it, in a byte.
  Result<std::string> Name() { return Text(KTSTR_TRY(Number<uint8_t>())); }
  template <typename T>
  Result<T> Number() {
    std::array<std::byte, sizeof(T)> bytes;
    KTSTR_TRY(Take(bytes));
    T value = 0;
    for (const std::byte b : bytes) value = static_cast<T>(value << 8 | std::to_integer<T>(b));
    return value;
  }
  // What Number would give, staying there.
  Result<uint8_t> Peek() {
    KTSTR_TRY(Fill());
    return std::to_integer<uint8_t>(buffer_[used_]);
  }
  Status Skip(uint64_t size) {
    if (size > left()) return Fail(CutOff());
    if (size <= buffer_.size() - used_) {
      used_ += size;
    } else {
      buffer_at_ = at() + size;
      buffer_.clear();
      used_ = 0;
    }
    return {};
  }

 private:
  Error CutOff() const { return StreamDamaged(at(), "the stream ends too early"); }
  // At least a byte to come in the buffer.
  Status Fill() {
    if (used_ < buffer_.size()) return {};
    constexpr uint64_t kStep = 256 << 10;
    const uint64_t from = at(), size = std::min(kStep, left());
    if (size == 0) return Fail(CutOff());
    buffer_.resize(size);
    KTSTR_TRY(dump_.ReadAt(from, buffer_));
    buffer_at_ = from;
    used_ = 0;
    return {};
  }
  Status Take(std::span<std::byte> out) {
    while (!out.empty()) {
      KTSTR_TRY(Fill());
      const size_t size = std::min(out.size(), buffer_.size() - used_);
      std::memcpy(out.data(), buffer_.data() + used_, size);
      used_ += size;
      out = out.subspan(size);
    }
    return {};
  }

  const DumpFile& dump_;
  uint64_t buffer_at_;
  std::vector<std::byte> buffer_;
  size_t used_ = 0;
};

class StreamParser {
 public:
  StreamParser(const DumpFile& dump, uint64_t begin) : dump_(dump), reader_(dump, begin) {}

  Result<QemuStream> Parse() {
    if (KTSTR_TRY(reader_.Text(kStreamMagic.size())) != kStreamMagic) {
      return Fail(StreamDamaged(reader_.at(), "no migration stream begins"));
    }
    if (const auto version = KTSTR_TRY(reader_.Number<uint32_t>()); version != kStreamVersion) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("it is a migration stream of version {}, not 3", version));
    }
    for (bool more = true; more;) more = KTSTR_TRY(ParseNext());
    if (stream_.blocks.empty()) {
      return Fail(ErrorCode::kUnsupported, "it is a migration stream without RAM");
    }
    return std::move(stream_);
  }

 private:
  // False where the stream's sections of RAM have ended.
  Result<bool> ParseNext() {
    const uint64_t at = reader_.at();
    const auto marker = KTSTR_TRY(reader_.Peek());
    if (marker == kSectionFull || marker == kEof) {
      if (marker == kSectionFull && !ram_ended_) return Fail(Early());
      KTSTR_TRY(TakeDevices());
      return false;
    }
    KTSTR_TRY(reader_.Skip(1));
    switch (marker) {
      case kConfiguration:
        KTSTR_TRY(ParseConfiguration());
        return true;
      case kSectionStart:
      case kSectionPart:
      case kSectionEnd:
        KTSTR_TRY(ParseRamSection(marker));
        return true;
      case kCommand: {
        KTSTR_TRY(reader_.Number<uint16_t>());
        KTSTR_TRY(reader_.Skip(KTSTR_TRY(reader_.Number<uint16_t>())));
        return true;
      }
      default:
        return Fail(StreamDamaged(at, fmt::format("no section begins with {:#04x}", marker)));
    }
  }

  static Error Early() {
    return Error(ErrorCode::kUnsupported,
                 "a device's state comes before RAM in it, as of virtio-mem: that is not known");
  }

  // vmstate_configuration in migration/savevm.c.
  Status ParseConfiguration() {
    const auto length = KTSTR_TRY(reader_.Number<uint32_t>());
    constexpr uint32_t kLongest = 1024;
    if (length > kLongest) {
      return Fail(
          StreamDamaged(reader_.at(), fmt::format("a machine's type has {} bytes", length)));
    }
    stream_.machine_type = SafeText(KTSTR_TRY(reader_.Text(length)));
    while (KTSTR_TRY(reader_.Peek()) == kSubsection) {
      KTSTR_TRY(reader_.Skip(1));
      const std::string name = KTSTR_TRY(reader_.Name());
      KTSTR_TRY(reader_.Number<uint32_t>());  // its version
      KTSTR_TRY(SkipSubsection(name));
    }
    return {};
  }
  Status SkipSubsection(const std::string& name) {
    if (name == "configuration/target-page-bits") return reader_.Skip(4);
    if (name == "configuration/uuid") return reader_.Skip(16);
    if (name != "configuration/capabilities") {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("its configuration has '{}', which is not known", SafeText(name)));
    }
    const auto count = KTSTR_TRY(reader_.Number<uint32_t>());
    for (uint32_t i = 0; i < count; ++i) {
      const std::string capability = KTSTR_TRY(reader_.Name());
      for (const char* moves : {"mapped-ram", "x-ignore-shared", "multifd", "compress"}) {
        if (capability != moves) continue;
        return Fail(ErrorCode::kUnsupported,
                    fmt::format("it was saved with QEMU's '{}', in which RAM is not in the stream "
                                "itself; save it without (libvirt: save_image_format = \"raw\")",
                                moves));
      }
    }
    return {};
  }

  Status ParseRamSection(uint8_t marker) {
    const uint64_t at = reader_.at();
    const auto number = KTSTR_TRY(reader_.Number<uint32_t>());
    if (marker == kSectionStart) {
      const std::string name = KTSTR_TRY(reader_.Name());
      KTSTR_TRY(reader_.Skip(8));  // instance, version
      if (name != "ram") {
        return Fail(ErrorCode::kUnsupported,
                    fmt::format("it has live state of '{}', which is not known", SafeText(name)));
      }
      ram_number_ = number;
    } else if (number != ram_number_) {
      return Fail(StreamDamaged(at, "a section goes on that has not begun"));
    }
    KTSTR_TRY(ParseRam());
    ram_ended_ = ram_ended_ || marker == kSectionEnd;
    if (KTSTR_TRY(reader_.Peek()) != kFooter) return {};  // of machine types before 2.3
    KTSTR_TRY(reader_.Skip(1));
    if (KTSTR_TRY(reader_.Number<uint32_t>()) == number) return {};
    return Fail(StreamDamaged(reader_.at(), "the footer of a section of RAM is another's"));
  }

  // Up to the end of one section.
  Status ParseRam() {
    for (;;) {
      const uint64_t at = reader_.at();
      const auto word = KTSTR_TRY(reader_.Number<uint64_t>());
      const uint64_t flags = word & (kPageSize - 1), address = word & ~(kPageSize - 1);
      if ((flags & (kXbzrle | kHook | kCompressed)) != 0) {
        return Fail(ErrorCode::kUnsupported,
                    "RAM in it is compressed by QEMU's migration itself (xbzrle, compress, rdma)");
      }
      switch (flags & ~uint64_t{kContinue}) {
        case kEos:
          return {};
        case kMultifdFlush:
          break;
        case kMemSize:
          KTSTR_TRY(ParseBlocks(address));
          break;
        case kZeroPage:
        case kPage:
          KTSTR_TRY(ParsePage(flags, address));
          break;
        default:
          return Fail(StreamDamaged(at, fmt::format("a page has flags {:#x}", flags)));
      }
    }
  }

  // `total` bytes of them all.
  Status ParseBlocks(uint64_t total) {
    while (total > 0) {
      StreamBlock block;
      block.name = KTSTR_TRY(reader_.Name());
      block.size = KTSTR_TRY(reader_.Number<uint64_t>());
      if (block.size > total || stream_.blocks.size() >= kMostBlocks) {
        return Fail(StreamDamaged(reader_.at(), "its blocks are larger than all of memory"));
      }
      total -= block.size;
      stream_.blocks.push_back(std::move(block));
    }
    return {};
  }

  Status ParsePage(uint64_t flags, uint64_t address) {
    if ((flags & kContinue) == 0) {
      const std::string name = KTSTR_TRY(reader_.Name());
      const auto found = std::ranges::find(stream_.blocks, name, &StreamBlock::name);
      if (found == stream_.blocks.end()) {
        return Fail(StreamDamaged(reader_.at(), "a page is of a block that is not there"));
      }
      block_ = static_cast<size_t>(found - stream_.blocks.begin());
    }
    if (block_ >= stream_.blocks.size() || address >= stream_.blocks[block_].size) {
      return Fail(StreamDamaged(reader_.at(), "a page is beyond its block"));
    }
    StreamPages& pages = stream_.blocks[block_].pages;
    if ((flags & kZeroPage) != 0) {
      if (KTSTR_TRY(reader_.Number<uint8_t>()) != 0) {
        return Fail(StreamDamaged(reader_.at(), "a page of zeros is filled with something else"));
      }
      pages.Put(address >> kPageShift, std::nullopt);
      return {};
    }
    pages.Put(address >> kPageShift, reader_.at());
    return reader_.Skip(kPageSize);
  }

  // What follows RAM, up to the stream's end: it is followed by a description of itself as JSON,
  // which QEMU can be told to leave out, and by zeros where a file was written in whole blocks.
  Status TakeDevices() {
    if (reader_.left() > kMostDeviceState) {
      return Fail(StreamDamaged(reader_.at(), "there are too many bytes behind RAM"));
    }
    std::vector<std::byte> rest(reader_.left());
    KTSTR_TRY(dump_.ReadAt(reader_.at(), rest));
    std::vector<std::byte>& state = stream_.device_state;
    for (const char c : kStreamMagic) state.push_back(static_cast<std::byte>(c));
    for (const uint8_t b : {0, 0, 0, 3}) state.push_back(std::byte{b});
    const auto devices = std::span(rest).first(EndOfDevices(rest));
    state.insert(state.end(), devices.begin(), devices.end());
    state.push_back(std::byte{kEof});
    return {};
  }
  static size_t EndOfDevices(std::span<const std::byte> rest) {
    const auto is_zero = [](std::byte b) { return b == std::byte{0}; };
    constexpr size_t kHead = 6;  // end mark, mark, length
    for (size_t at = 0; at + kHead < rest.size(); ++at) {
      if (!is_zero(rest[at]) || rest[at + 1] != std::byte{kDescription}) continue;
      uint64_t length = 0;
      for (const std::byte b : rest.subspan(at + 2, 4)) {
        length = length << 8 | std::to_integer<uint64_t>(b);
      }
      const auto description = rest.subspan(at + kHead);
      if (length < 2 || length > description.size() || description[0] != std::byte{'{'} ||
          description[length - 1] != std::byte{'}'}) {
        continue;
      }
      if (std::ranges::all_of(description.subspan(length), is_zero)) return at;
    }
    // Without one there is the end mark alone.
    return rest.empty() ? 0 : rest.size() - 1;
  }

  const DumpFile& dump_;
  StreamReader reader_;
  QemuStream stream_;
  uint32_t ram_number_ = ~uint32_t{0};
  bool ram_ended_ = false;
  size_t block_ = ~size_t{0};
};

}  // namespace

bool IsQemuStream(std::span<const std::byte> begin) {
  return begin.size() >= kStreamMagic.size() &&
         std::memcmp(begin.data(), kStreamMagic.data(), kStreamMagic.size()) == 0;
}

Result<QemuStream> ReadQemuStream(const DumpFile& dump, uint64_t begin) {
  return StreamParser(dump, begin).Parse();
}

}  // namespace ktstr::vmcore

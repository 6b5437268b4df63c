#include "capture/qemu/vmstate_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "capture/qemu/json_access.h"

namespace ktstr {

namespace {

using nlohmann::json;

// Markers of migration/savevm.c (QEMU_VM_*).
constexpr std::byte kEndOfSections{0x00};
constexpr std::byte kSectionFull{0x04};
constexpr std::byte kDescription{0x06};
constexpr std::byte kSectionFooter{0x7e};

constexpr std::string_view kMagic = "QEVM";
// More than any machine has: a vCPU takes 12 KB of it.
constexpr size_t kDescriptionLimit = size_t{16} << 20;
constexpr int kMaxDepth = 32;
// Fields looked at in one stream: a description may be small and claim much.
constexpr uint64_t kMaxFields = 20'000'000;

Error Damaged(std::string what) {
  return Error(ErrorCode::kDamaged, "the VMM's device state is damaged: " + std::move(what));
}

uint64_t BigEndian(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (const std::byte b : bytes) value = value << 8 | std::to_integer<uint64_t>(b);
  return value;
}

struct Description {
  json value;
  size_t begin = 0;  // where its marker is in the stream
};

// The description is the last thing in the stream: marker, 32-bit length, JSON. JSON holds no byte
// below 0x20, so the last marker whose length fits is the right one.
Result<Description> FindDescription(std::span<const std::byte> stream) {
  constexpr size_t kHeader = 5;
  if (stream.size() < kMagic.size() ||
      std::memcmp(stream.data(), kMagic.data(), kMagic.size()) != 0) {
    return Fail(Damaged("it does not begin with 'QEVM'"));
  }
  const size_t lowest =
      stream.size() > kDescriptionLimit ? stream.size() - kDescriptionLimit : size_t{0};
  for (size_t at = stream.size(); at-- > lowest;) {
    if (stream[at] != kDescription || stream.size() - at <= kHeader) continue;
    if (BigEndian(stream.subspan(at + 1, 4)) != stream.size() - at - kHeader) continue;
    const auto* text = reinterpret_cast<const char*>(stream.data() + at + kHeader);
    json value = json::parse(text, text + (stream.size() - at - kHeader), nullptr, false);
    if (!value.is_object()) return Fail(Damaged("its description is no JSON object"));
    return Description{std::move(value), at};
  }
  return Fail(ErrorCode::kUnsupported,
              "the VMM's device state does not end with a description of itself");
}

// Walks the fields of one device over its bytes, or only counts the bytes.
class FieldWalk {
 public:
  // `data` empty: only count.
  FieldWalk(std::span<const std::byte> data, size_t limit, uint64_t* budget,
            std::map<std::string, uint64_t, std::less<>>* fields)
      : data_(data), limit_(limit), budget_(budget), fields_(fields) {}

  // Errors: kDamaged when the description makes no sense or needs more than the limit.
  Status Walk(const json& description, const std::string& prefix, int depth) {
    if (depth > kMaxDepth) return Fail(Damaged("its description is nested too deep"));
    if (const json* fields = JsonMember(description, "fields"); fields && fields->is_array()) {
      for (const json& field : *fields) KTSTR_TRY(WalkField(field, prefix, depth));
    }
    if (const json* more = JsonMember(description, "subsections"); more && more->is_array()) {
      for (const json& subsection : *more) {
        // Marker, length of the name, name, 32-bit version.
        KTSTR_TRY(Advance(2 + StringMember(subsection, "vmsd_name").size() + 4));
        KTSTR_TRY(Walk(subsection, prefix, depth + 1));
      }
    }
    return {};
  }

  size_t position() const { return position_; }

 private:
  Status Advance(uint64_t size) {
    if (size > limit_ - position_) {
      return Fail(Damaged("its description is of more bytes than there are"));
    }
    position_ += size;
    return {};
  }

  Status WalkField(const json& field, const std::string& prefix, int depth) {
    const std::string name = prefix + StringMember(field, "name");
    const auto length = IntegerMember(field, "array_len");
    for (int64_t i = 0; i < length.value_or(1); ++i) {
      if ((*budget_)-- == 0) return Fail(Damaged("its description has too many fields"));
      const std::string element = length && fields_ ? fmt::format("{}[{}]", name, i) : name;
      if (const json* nested = JsonMember(field, "struct")) {
        KTSTR_TRY(Walk(*nested, element + ".", depth + 1));
      } else {
        KTSTR_TRY(TakeInteger(element, IntegerMember(field, "size").value_or(-1)));
      }
    }
    return {};
  }

  Status TakeInteger(const std::string& name, int64_t size) {
    if (size < 0) return Fail(Damaged(fmt::format("its field '{}' has no size", name)));
    const size_t begin = position_;
    KTSTR_TRY(Advance(size));
    if (fields_ != nullptr && size >= 1 && size <= 8) {
      fields_->insert_or_assign(name, BigEndian(data_.subspan(begin, size)));
    }
    return {};
  }

  std::span<const std::byte> data_;
  size_t limit_;
  uint64_t* budget_;
  std::map<std::string, uint64_t, std::less<>>* fields_;
  size_t position_ = 0;
};

// Goes through the sections from the last to the first: those of devices are the last ones in the
// stream, each as long as its description says, so nothing before them needs to be understood.
class SectionWalk {
 public:
  SectionWalk(std::span<const std::byte> stream, size_t end) : stream_(stream), end_(end) {}

  // Steps over the section that ends where the last one began. `section` null: its contents are not
  // wanted.
  Status Step(const json& device, DeviceSection* section) {
    const std::string name = StringMember(device, "name");
    const size_t header = 1 + 4 + 1 + name.size() + 4 + 4;
    constexpr size_t kFooter = 1 + 4;
    if (end_ < header + kFooter) return Fail(Damaged("it is too short for device '" + name + "'"));
    FieldWalk count({}, end_ - header - kFooter, &budget_, nullptr);
    KTSTR_TRY(count.Walk(device, "", 0));
    const size_t size = count.position();
    const size_t begin = end_ - kFooter - size - header;
    if (!HeaderFits(begin, name, device) || stream_[end_ - kFooter] != kSectionFooter ||
        !std::ranges::equal(stream_.subspan(end_ - 4, 4), stream_.subspan(begin + 1, 4))) {
      return Fail(Damaged(fmt::format("device '{}' is not where its description says", name)));
    }
    if (section != nullptr) {
      section->name = name;
      section->instance = InstanceOf(device);
      FieldWalk read(stream_.subspan(begin + header, size), size, &budget_, &section->fields);
      KTSTR_TRY(read.Walk(device, "", 0));
    }
    end_ = begin;
    return {};
  }

 private:
  static uint32_t InstanceOf(const json& device) {
    return static_cast<uint32_t>(IntegerMember(device, "instance_id").value_or(0));
  }

  bool HeaderFits(size_t begin, const std::string& name, const json& device) const {
    const auto* text = reinterpret_cast<const char*>(stream_.data() + begin + 6);
    return stream_[begin] == kSectionFull &&
           std::to_integer<size_t>(stream_[begin + 5]) == name.size() &&
           std::string_view(text, name.size()) == name &&
           BigEndian(stream_.subspan(begin + 6 + name.size(), 4)) == InstanceOf(device);
  }

  std::span<const std::byte> stream_;
  size_t end_;
  uint64_t budget_ = kMaxFields;
};

}  // namespace

Result<std::vector<DeviceSection>> ParseDeviceSections(std::span<const std::byte> stream,
                                                       std::span<const std::string_view> wanted) {
  const Description description = KTSTR_TRY(FindDescription(stream));
  const json* devices = JsonMember(description.value, "devices");
  if (devices == nullptr || !devices->is_array()) {
    return Fail(Damaged("its description names no devices"));
  }
  if (description.begin == 0 || stream[description.begin - 1] != kEndOfSections) {
    return Fail(Damaged("its sections have no end"));
  }
  SectionWalk walk(stream, description.begin - 1);
  std::vector<DeviceSection> sections;
  for (auto device = devices->rbegin(); device != devices->rend(); ++device) {
    const bool is_wanted = std::ranges::count(wanted, StringMember(*device, "name")) > 0;
    DeviceSection section;
    KTSTR_TRY(walk.Step(*device, is_wanted ? &section : nullptr));
    if (is_wanted) sections.push_back(std::move(section));
  }
  std::ranges::reverse(sections);
  return sections;
}

}  // namespace ktstr

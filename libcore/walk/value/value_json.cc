#include "libcore/walk/value/value_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

namespace ktstr {

namespace {

// No C type is nested deeper; a damaged BTF that contains itself is.
constexpr int kMaxDepth = 32;
// Nor does any value need more text (in bytes) or consist of more structures; one of such a BTF
// does.
constexpr size_t kMaxText = 64 << 20;
constexpr size_t kMaxStructures = 1'000'000;

uint64_t LittleEndian(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

class JsonWriter {
 public:
  using Tags = std::span<const std::string_view>;

  explicit JsonWriter(const TypeInfo& types) : types_(types) {}
  // For bytes that begin at `begin`.
  JsonWriter(const TypeInfo& types, SpecialFields& special, Kva kva, const std::byte* begin)
      : types_(types), special_(&special), kva_(kva), begin_(begin) {}

  void Append(TypeId type, std::span<const std::byte> bytes, int depth, Tags tags = {}) {
    const auto size = types_.SizeOf(type);
    if (!size || depth > kMaxDepth) {
      out_ += BytesToJson(bytes);
      return;
    }
    if (*size > bytes.size() || out_.size() > kMaxText) {
      out_ += "null";
      return;
    }
    bytes = bytes.first(*size);
    if (AppendIfSpecial(type, bytes, tags)) return;
    switch (types_.KindOf(type)) {
      case TypeKind::kInteger:
        return AppendInteger(type, bytes);
      case TypeKind::kFloat:
        return AppendFloat(bytes);
      case TypeKind::kPointer:
        out_ += fmt::format("\"{:#018x}\"", LittleEndian(bytes));
        return;
      case TypeKind::kEnum:
        return AppendEnum(type, LittleEndian(bytes), bytes.size());
      case TypeKind::kArray:
        return AppendArray(type, bytes, depth, tags);
      case TypeKind::kStruct:
      case TypeKind::kUnion:
        out_ += '{';
        first_ = true;
        AppendMembers(type, bytes, depth);
        out_ += '}';
        first_ = false;
        return;
      default:
        out_ += BytesToJson(bytes);
    }
  }

  std::string Take() && { return std::move(out_); }

 private:
  bool AppendIfSpecial(TypeId type, std::span<const std::byte> bytes, Tags tags) {
    if (special_ == nullptr) return false;
    const Kva at = kva_ + static_cast<uint64_t>(bytes.data() - begin_);
    const auto facts = special_->FactsOf({types_, type, at, tags});
    if (!facts) return false;
    out_ += '{';
    for (const ValueFact& fact : *facts) {
      if (&fact != &facts->front()) out_ += ',';
      out_ += TextToJson(fact.name) + ':' + fact.json;
    }
    out_ += '}';
    return true;
  }

  void AppendInteger(TypeId type, std::span<const std::byte> bytes) {
    if (bytes.size() > sizeof(uint64_t)) {
      // __int128: wider than JSON's numbers are read.
      out_ += fmt::format("\"0x{:016x}{:016x}\"", LittleEndian(bytes.subspan(8)),
                          LittleEndian(bytes.first(8)));
      return;
    }
    const uint64_t value = LittleEndian(bytes);
    if (types_.StyleOf(type) == IntegerStyle::kBoolean && value <= 1) {
      out_ += value != 0 ? "true" : "false";
      return;
    }
    AppendNumber(value, bytes.size() * 8, types_.IsSigned(type));
  }

  void AppendNumber(uint64_t value, size_t bits, bool is_signed) {
    if (is_signed && bits < 64) {
      const uint64_t sign = uint64_t{1} << (bits - 1);
      value = (value ^ sign) - sign;
    }
    out_ += is_signed ? std::to_string(static_cast<int64_t>(value)) : std::to_string(value);
  }

  void AppendFloat(std::span<const std::byte> bytes) {
    double value = 0;
    if (bytes.size() == sizeof(float)) {
      float narrow;
      std::memcpy(&narrow, bytes.data(), sizeof narrow);
      value = narrow;
    } else if (bytes.size() == sizeof(double)) {
      std::memcpy(&value, bytes.data(), sizeof value);
    } else {
      out_ += BytesToJson(bytes);
      return;
    }
    out_ += std::isfinite(value) ? fmt::format("{}", value) : fmt::format("\"{}\"", value);
  }

  void AppendEnum(TypeId type, uint64_t value, size_t size) {
    const bool is_signed = types_.IsSigned(type);
    int64_t wanted = static_cast<int64_t>(value);
    if (is_signed && size == 4) wanted = static_cast<int32_t>(value);
    for (const Enumerator& enumerator : types_.EnumeratorsOf(type)) {
      if (enumerator.value == wanted) {
        out_ += TextToJson(enumerator.name);
        return;
      }
    }
    AppendNumber(value, size * 8, is_signed);
  }

  void AppendArray(TypeId type, std::span<const std::byte> bytes, int depth, Tags tags) {
    const TypeId element = types_.Target(type);
    const uint64_t count = types_.ElementCount(type);
    const uint64_t size = types_.SizeOf(element).value_or(0);
    if (types_.StyleOf(element) == IntegerStyle::kCharacter && AppendIfText(bytes)) return;
    // Of elements without a size there can be any number in no bytes at all.
    if (size == 0) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    for (uint64_t i = 0; i < count; ++i) {
      if (i != 0) out_ += ',';
      Append(element, bytes.subspan(std::min<size_t>(i * size, bytes.size())), depth + 1, tags);
    }
    out_ += ']';
  }

  // Text with nothing but zeros behind its end.
  bool AppendIfText(std::span<const std::byte> bytes) {
    const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::string_view text = all.substr(0, all.find('\0'));
    const bool clean = all.find_first_not_of('\0', text.size()) == std::string_view::npos &&
                       std::none_of(text.begin(), text.end(), [](unsigned char c) {
                         return c < ' ' && c != '\t' && c != '\n';
                       });
    if (clean) out_ += TextToJson(text);
    return clean;
  }

  void AppendMembers(TypeId type, std::span<const std::byte> bytes, int depth) {
    if (++structures_ > kMaxStructures) return;
    const auto members = types_.MembersOf(type);
    for (size_t i = 0; i < members.size(); ++i) {
      const NamedMember& named = members[i];
      const Member& member = named.member;
      const auto rest = bytes.subspan(std::min<size_t>(member.offset, bytes.size()));
      if (named.name.empty()) {
        if (depth < kMaxDepth && out_.size() <= kMaxText)
          AppendMembers(member.type, rest, depth + 1);
        continue;
      }
      if (!first_) out_ += ',';
      out_ += TextToJson(named.name);
      out_ += ':';
      if (member.is_bit_field()) {
        AppendBitField(member, rest);
      } else {
        Append(member.type, rest, depth + 1, TagsOfMember(type, i));
      }
      first_ = false;
    }
  }

  std::vector<std::string_view> TagsOfMember(TypeId type, size_t index) const {
    return special_ == nullptr ? std::vector<std::string_view>() : types_.TagsOfMember(type, index);
  }

  void AppendBitField(const Member& member, std::span<const std::byte> bytes) {
    if (bytes.size() < member.size) {
      out_ += "null";
      return;
    }
    const uint64_t storage = LittleEndian(bytes.first(std::min<size_t>(member.size, 8)));
    const uint64_t value =
        (storage >> member.bit_offset) & (~uint64_t{0} >> (64 - member.bit_size));
    if (types_.StyleOf(member.type) == IntegerStyle::kBoolean) {
      out_ += value != 0 ? "true" : "false";
    } else {
      AppendNumber(value, member.bit_size, member.is_signed);
    }
  }

  const TypeInfo& types_;
  SpecialFields* special_ = nullptr;
  Kva kva_;  // where begin_ stands
  const std::byte* begin_ = nullptr;
  std::string out_;
  bool first_ = false;
  size_t structures_ = 0;
};

}  // namespace

std::string ToJson(const TypeInfo& types, TypeId type, std::span<const std::byte> bytes) {
  JsonWriter writer(types);
  writer.Append(type, bytes, 0);
  return std::move(writer).Take();
}

std::string ToJson(const SpecialPlace& place, std::span<const std::byte> bytes,
                   SpecialFields& special) {
  JsonWriter writer(place.types, special, place.kva, bytes.data());
  writer.Append(place.type, bytes, 0, place.tags);
  return std::move(writer).Take();
}

std::string BytesToJson(std::span<const std::byte> bytes) {
  std::string out = "\"";
  for (const std::byte byte : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", byte);
  return out + "\"";
}

std::string TextToJson(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
  });
  if (plain) return fmt::format("\"{}\"", text);
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace ktstr

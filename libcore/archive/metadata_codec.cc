#include "libcore/archive/metadata_codec.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "libcore/base/utf8.h"

namespace ktstr::archive {

namespace {

using Json = nlohmann::json;

// The plain string fields, by their keys.
constexpr std::pair<const char*, std::string ArchiveMetadata::*> kTextFields[] = {
    {"arch", &ArchiveMetadata::arch},
    {"vmm_version", &ArchiveMetadata::vmm_version},
    {"accelerator", &ArchiveMetadata::accelerator},
    {"vmm_machine", &ArchiveMetadata::vmm_machine},
    {"run_state", &ArchiveMetadata::run_state},
    {"kernel_release", &ArchiveMetadata::kernel_release},
    {"kernel_build_id", &ArchiveMetadata::kernel_build_id},
    {"kernel_cmdline", &ArchiveMetadata::kernel_cmdline},
    {"captured_by", &ArchiveMetadata::captured_by},
    {"trigger", &ArchiveMetadata::trigger},
    {"kept", &ArchiveMetadata::kept},
    {"trigger_detail", &ArchiveMetadata::trigger_detail},
    {"parent_digest", &ArchiveMetadata::parent_digest},
};

constexpr std::pair<const char*, std::string Derivation::*> kDerivationFields[] = {
    {"name", &Derivation::name},
    {"method", &Derivation::method},
    {"value", &Derivation::value},
    {"note", &Derivation::note},
};

tl::unexpected<Error> Malformed(std::string_view key) {
  return Fail(ErrorCode::kDamaged, fmt::format("the metadata's \"{}\" is malformed", key));
}

Json ToJson(const std::string& text) {
  if (IsUtf8(text)) return text;
  std::string hex;
  for (const char c : text) hex += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return Json{{"hex", hex}};
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Result<std::string> FromHex(std::string_view key, const std::string& hex) {
  if (hex.size() % 2 != 0) return Malformed(key);
  std::string text;
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexDigit(hex[i]), low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) return Malformed(key);
    text += static_cast<char>(high << 4 | low);
  }
  return text;
}

Result<std::string> ToText(std::string_view key, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return Malformed(key);
  const auto hex = value.find("hex");
  if (hex == value.end() || !hex->is_string()) return Malformed(key);
  return FromHex(key, hex->get_ref<const std::string&>());
}

// Reads the text at `key` of `object` into `out`, when it is there.
Status GetText(const Json& object, const char* key, std::string& out) {
  const auto found = object.find(key);
  if (found != object.end()) out = KTSTR_TRY(ToText(key, *found));
  return {};
}

Result<Derivation> ToDerivation(const Json& json) {
  if (!json.is_object()) return Malformed("derivations");
  Derivation derivation;
  for (const auto& [key, field] : kDerivationFields) {
    KTSTR_TRY(GetText(json, key, derivation.*field));
  }
  const auto chosen = json.find("chosen");
  if (chosen != json.end()) {
    if (!chosen->is_boolean()) return Malformed("derivations");
    derivation.chosen = chosen->get<bool>();
  }
  return derivation;
}

Json ToJson(const Derivation& derivation) {
  Json json = {{"chosen", derivation.chosen}};
  for (const auto& [key, field] : kDerivationFields) json[key] = ToJson(derivation.*field);
  return json;
}

Result<int64_t> ToTime(const Json& json) {
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  const bool fits =
      json.is_number_unsigned() ? json.get<uint64_t>() <= kMax : json.is_number_integer();
  if (!fits) return Malformed("captured_at_ns");
  return json.get<int64_t>();
}

Status GetUnplugged(const Json& json, uint64_t& pages) {
  const auto found = json.find("unplugged_pages");
  if (found == json.end()) return {};
  if (!found->is_number_unsigned()) return Malformed("unplugged_pages");
  pages = found->get<uint64_t>();
  return {};
}

Status GetRan(const Json& json, bool& ran) {
  const auto found = json.find("ran_while_read");
  if (found == json.end()) return {};
  if (!found->is_boolean()) return Malformed("ran_while_read");
  ran = found->get<bool>();
  return {};
}

Status GetCpuFeatures(const Json& json, std::map<std::string, uint32_t>& features) {
  const auto found = json.find("cpu_features");
  if (found == json.end()) return {};
  if (!found->is_object()) return Malformed("cpu_features");
  for (const auto& [word, bits] : found->items()) {
    const bool fits =
        bits.is_number_unsigned() && bits.get<uint64_t>() <= std::numeric_limits<uint32_t>::max();
    if (!fits) return Malformed("cpu_features");
    features[word] = bits.get<uint32_t>();
  }
  return {};
}

Status GetLists(const Json& json, ArchiveMetadata& metadata) {
  if (const auto arguments = json.find("vmm_command_line"); arguments != json.end()) {
    if (!arguments->is_array()) return Malformed("vmm_command_line");
    for (const Json& argument : *arguments) {
      metadata.vmm_command_line.push_back(KTSTR_TRY(ToText("vmm_command_line", argument)));
    }
  }
  if (const auto derivations = json.find("derivations"); derivations != json.end()) {
    if (!derivations->is_array()) return Malformed("derivations");
    for (const Json& derivation : *derivations) {
      metadata.derivations.push_back(KTSTR_TRY(ToDerivation(derivation)));
    }
  }
  if (const auto tags = json.find("tags"); tags != json.end()) {
    if (!tags->is_object()) return Malformed("tags");
    for (const auto& [key, value] : tags->items()) {
      metadata.tags[key] = KTSTR_TRY(ToText("tags", value));
    }
  }
  return {};
}

}  // namespace

Result<std::string> EncodeMetadata(const ArchiveMetadata& metadata) {
  Json json = {{"captured_at_ns", metadata.captured_at_ns}};
  for (const auto& [key, field] : kTextFields) json[key] = ToJson(metadata.*field);
  Json& arguments = json["vmm_command_line"] = Json::array();
  for (const std::string& argument : metadata.vmm_command_line) {
    arguments.push_back(ToJson(argument));
  }
  if (metadata.unplugged_pages != 0) json["unplugged_pages"] = metadata.unplugged_pages;
  if (metadata.ran_while_read) json["ran_while_read"] = true;
  Json& features = json["cpu_features"] = Json::object();
  for (const auto& [word, bits] : metadata.cpu_features) features[word] = bits;
  Json& derivations = json["derivations"] = Json::array();
  for (const Derivation& derivation : metadata.derivations) {
    derivations.push_back(ToJson(derivation));
  }
  Json& tags = json["tags"] = Json::object();
  for (const auto& [key, value] : metadata.tags) {
    if (!IsUtf8(key)) {
      return Fail(ErrorCode::kInvalidArgument, "the name of a tag is not valid UTF-8");
    }
    tags[key] = ToJson(value);
  }
  return json.dump();
}

Result<ArchiveMetadata> DecodeMetadata(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return Fail(ErrorCode::kDamaged, "the metadata is not a JSON object");
  }
  ArchiveMetadata metadata;
  metadata.arch.clear();
  for (const auto& [key, field] : kTextFields) KTSTR_TRY(GetText(json, key, metadata.*field));
  KTSTR_TRY(GetLists(json, metadata));
  KTSTR_TRY(GetCpuFeatures(json, metadata.cpu_features));
  KTSTR_TRY(GetUnplugged(json, metadata.unplugged_pages));
  KTSTR_TRY(GetRan(json, metadata.ran_while_read));
  if (const auto time = json.find("captured_at_ns"); time != json.end()) {
    metadata.captured_at_ns = KTSTR_TRY(ToTime(*time));
  }
  return metadata;
}

}  // namespace ktstr::archive

#include "libcore/ops/json.h"

#include <fmt/format.h>

#include <charconv>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>

#include "libcore/base/json_shape.h"
#include "libcore/base/utf8.h"

namespace ktstr {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDepth = 8;
// An entry has some twenty of these; a document with many more is no request.
constexpr size_t kMaxTokens = kOpEntriesMax * 32;

tl::unexpected<Error> Wrong(std::string text) {
  return Fail(ErrorCode::kInvalidArgument, std::move(text));
}

// ---- Parsing

// A parsed document takes many times the memory of its text: what cannot be a request is refused
// before it is parsed.
Status CheckShape(std::string_view text) {
  if (text.size() > kOpJsonMax) {
    return Wrong(fmt::format("{} bytes of JSON; the limit is {}", text.size(), kOpJsonMax));
  }
  if (KeepsWithin({.depth = kMaxDepth, .tokens = kMaxTokens}, text)) return {};
  return Wrong("JSON that is too deep or too long");
}

Result<Json> ParseObject(std::string_view text) {
  KTSTR_TRY(CheckShape(text));
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Wrong("this is not JSON");
  if (!json.is_object()) return Wrong("this is not a JSON object");
  return json;
}

Status CheckKeys(const Json& object, std::string_view where,
                 std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return Wrong(fmt::format("{} is not an object", where));
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Wrong(fmt::format("{} has an unknown key \"{}\"", where, CutAtCharacter(key, 64)));
    }
  }
  return {};
}

const Json* Find(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

Result<uint64_t> ParseNumber(const Json& json, std::string_view what, uint64_t max) {
  uint64_t value = 0;
  bool valid = json.is_number_unsigned();
  if (valid) value = json.get<uint64_t>();
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (text.size() > 2 && text.starts_with("0x")) {
      const char* end = text.data() + text.size();
      const auto parsed = std::from_chars(text.data() + 2, end, value, 16);
      valid = parsed.ec == std::errc() && parsed.ptr == end;
    }
  }
  if (!valid || value > max) {
    return Wrong(fmt::format("\"{}\" is not a number from 0 to {} (or \"0x…\")", what, max));
  }
  return value;
}

Result<uint64_t> ParseU64(const Json& json, std::string_view what) {
  return ParseNumber(json, what, std::numeric_limits<uint64_t>::max());
}
Result<uint32_t> ParseU32(const Json& json, std::string_view what) {
  return static_cast<uint32_t>(
      KTSTR_TRY(ParseNumber(json, what, std::numeric_limits<uint32_t>::max())));
}

Result<std::string> ParseText(const Json& json, std::string_view what) {
  if (!json.is_string()) return Wrong(fmt::format("\"{}\" is not a string", what));
  return json.get<std::string>();
}

Result<std::string> ParseName(const Json& json, std::string_view what) {
  std::string name = KTSTR_TRY(ParseText(json, what));
  if (name.size() > kOpNameMax) {
    return Wrong(
        fmt::format("\"{}\" has {} bytes; the limit is {}", what, name.size(), kOpNameMax));
  }
  return name;
}

Result<bool> ParseBool(const Json& json, std::string_view what) {
  if (!json.is_boolean()) return Wrong(fmt::format("\"{}\" is neither true nor false", what));
  return json.get<bool>();
}

// The one of two words, as 0 or 1.
Result<uint8_t> ParseWord(const Json& json, std::string_view what, std::string_view zero,
                          std::string_view one) {
  if (json == zero) return 0;
  if (json == one) return 1;
  return Wrong(fmt::format("\"{}\" is neither \"{}\" nor \"{}\"", what, zero, one));
}

// The member of that name, which must be there.
Result<const Json*> Need(const Json& object, std::string_view where, const char* key) {
  const Json* member = Find(object, key);
  if (member == nullptr) return Wrong(fmt::format("{} lacks \"{}\"", where, key));
  return member;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<BytesValue> ParseHexBytes(const std::string& text) {
  BytesValue value;
  value.bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = HexDigit(text[i]), low = i + 1 < text.size() ? HexDigit(text[i + 1]) : -1;
    if (high < 0 || low < 0) {
      return Wrong("\"bytes\" is a string, but not pairs of hexadecimal digits");
    }
    value.bytes.push_back(std::byte(high << 4 | low));
  }
  return value;
}

// The only member of an object that says by its key what it is.
Result<std::pair<std::string, const Json*>> OnlyMember(const Json& object, std::string_view where) {
  if (!object.is_object() || object.size() != 1) {
    return Wrong(fmt::format("{} is not an object with exactly one key", where));
  }
  return std::pair<std::string, const Json*>(object.begin().key(), &*object.begin());
}

Result<OpValue> ParseValue(const Json& json) {
  const auto [kind, value] = KTSTR_TRY(OnlyMember(json, "\"value\""));
  if (kind == "u32") return U32Value{KTSTR_TRY(ParseU32(*value, kind))};
  if (kind == "u64") return U64Value{KTSTR_TRY(ParseU64(*value, kind))};
  if (kind == "or_u32") return OrU32Value{KTSTR_TRY(ParseU32(*value, kind))};
  if (kind == "bytes" && value->is_string()) {
    return KTSTR_TRY(ParseHexBytes(value->get_ref<const std::string&>()));
  }
  if (kind == "bytes") return BytesWidth{KTSTR_TRY(ParseU32(*value, kind))};
  return Wrong(fmt::format("there is no value \"{}\"; there are u32, u64, bytes and or_u32",
                           CutAtCharacter(kind, 64)));
}

Result<OpTarget> ParsePerCpuField(const Json& json) {
  constexpr const char* kWhere = "\"per_cpu_field\"";
  KTSTR_TRY(CheckKeys(json, kWhere, {"symbol", "field", "cpu"}));
  PerCpuFieldTarget target;
  target.symbol = KTSTR_TRY(ParseName(*KTSTR_TRY(Need(json, kWhere, "symbol")), "symbol"));
  target.field = KTSTR_TRY(ParseName(*KTSTR_TRY(Need(json, kWhere, "field")), "field"));
  target.cpu = KTSTR_TRY(ParseU32(*KTSTR_TRY(Need(json, kWhere, "cpu")), "cpu"));
  return target;
}

Result<OpTarget> ParseTaskField(const Json& json) {
  constexpr const char* kWhere = "\"task_field\"";
  constexpr const char* kStart = "expected_start_time_ns";
  KTSTR_TRY(CheckKeys(json, kWhere, {"pid", kStart, "field"}));
  TaskFieldTarget target;
  target.pid = KTSTR_TRY(ParseU32(*KTSTR_TRY(Need(json, kWhere, "pid")), "pid"));
  target.expected_start_time_ns =
      KTSTR_TRY(ParseU64(*KTSTR_TRY(Need(json, kWhere, kStart)), kStart));
  target.field = KTSTR_TRY(ParseName(*KTSTR_TRY(Need(json, kWhere, "field")), "field"));
  return target;
}

Result<OpTarget> ParseTarget(const Json& json) {
  const auto [kind, target] = KTSTR_TRY(OnlyMember(json, "\"target\""));
  if (kind == "symbol") return SymbolTarget{KTSTR_TRY(ParseName(*target, kind))};
  if (kind == "direct") return DirectTarget{Kva(KTSTR_TRY(ParseU64(*target, kind)))};
  if (kind == "kva") return KvaTarget{Kva(KTSTR_TRY(ParseU64(*target, kind)))};
  if (kind == "per_cpu_field") return ParsePerCpuField(*target);
  if (kind == "task_field") return ParseTaskField(*target);
  return Wrong(
      fmt::format("there is no target \"{}\"; there are symbol, direct, kva, per_cpu_field "
                  "and task_field",
                  CutAtCharacter(kind, 64)));
}

Result<OpEntry> ParseEntry(const Json& json) {
  KTSTR_TRY(CheckKeys(json, "the entry", {"target", "value", "unchecked"}));
  OpEntry entry;
  entry.target = KTSTR_TRY(ParseTarget(*KTSTR_TRY(Need(json, "the entry", "target"))));
  entry.value = KTSTR_TRY(ParseValue(*KTSTR_TRY(Need(json, "the entry", "value"))));
  if (const Json* unchecked = Find(json, "unchecked")) {
    entry.unchecked = KTSTR_TRY(ParseBool(*unchecked, "unchecked"));
  }
  return entry;
}

Result<const Json*> ParseArray(const Json& object, std::string_view where, const char* key) {
  const Json* array = KTSTR_TRY(Need(object, where, key));
  if (!array->is_array() || array->size() > kOpEntriesMax) {
    return Wrong(fmt::format("\"{}\" is not an array of at most {}", key, kOpEntriesMax));
  }
  return array;
}

// ---- Writing

std::string HexAddress(Kva kva) { return fmt::format("{:#018x}", kva.value()); }

struct TargetToJson {
  Json operator()(const SymbolTarget& t) const { return {{"symbol", t.name}}; }
  Json operator()(const DirectTarget& t) const { return {{"direct", HexAddress(t.kva)}}; }
  Json operator()(const KvaTarget& t) const { return {{"kva", HexAddress(t.kva)}}; }
  Json operator()(const PerCpuFieldTarget& t) const {
    return {{"per_cpu_field", {{"symbol", t.symbol}, {"field", t.field}, {"cpu", t.cpu}}}};
  }
  Json operator()(const TaskFieldTarget& t) const {
    return {{"task_field",
             {{"pid", t.pid},
              {"expected_start_time_ns", t.expected_start_time_ns},
              {"field", t.field}}}};
  }
};

struct ValueToJson {
  Json operator()(const U32Value& v) const { return {{"u32", v.value}}; }
  Json operator()(const U64Value& v) const { return {{"u64", v.value}}; }
  Json operator()(const BytesWidth& v) const { return {{"bytes", v.size}}; }
  Json operator()(const OrU32Value& v) const { return {{"or_u32", v.mask}}; }
  Json operator()(const BytesValue& v) const {
    constexpr const char* kDigits = "0123456789abcdef";
    std::string hex;
    hex.reserve(v.bytes.size() * 2);
    for (const std::byte b : v.bytes) {
      hex += kDigits[std::to_integer<unsigned>(b) >> 4];
      hex += kDigits[std::to_integer<unsigned>(b) & 15];
    }
    return {{"bytes", hex}};
  }
};

Result<OpReplyError> ParseReplyError(const Json& json) {
  constexpr const char* kWhere = "error";
  KTSTR_TRY(CheckKeys(json, kWhere, {"entry", "code", "layer"}));
  const auto entry = KTSTR_TRY(ParseU32(*KTSTR_TRY(Need(json, kWhere, "entry")), "error.entry"));
  const auto code = KTSTR_TRY(ParseText(*KTSTR_TRY(Need(json, kWhere, "code")), "error.code"));
  const auto layer = KTSTR_TRY(ParseText(*KTSTR_TRY(Need(json, kWhere, "layer")), "error.layer"));
  const auto known_code = OpErrorCodeOfName(code);
  const auto known_layer = OpLayerOfName(layer);
  if (!known_code) return Wrong(fmt::format("error.code: there is no '{}'", code));
  if (!known_layer) return Wrong(fmt::format("error.layer: there is no '{}'", layer));
  return OpReplyError{entry, *known_code, *known_layer};
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Result<OpRequest> RequestFromJson(std::string_view text) {
  const Json json = KTSTR_TRY(ParseObject(text));
  KTSTR_TRY(CheckKeys(json, "the request", {"request_id", "mode", "direction", "tag", "entries"}));
  OpRequest request;
  if (const Json* id = Find(json, "request_id")) {
    request.request_id = KTSTR_TRY(ParseU32(*id, "request_id"));
  }
  if (const Json* mode = Find(json, "mode")) {
    request.mode = OpMode{KTSTR_TRY(ParseWord(*mode, "mode", "hot", "cold"))};
  }
  if (const Json* direction = Find(json, "direction")) {
    request.direction = OpDirection{KTSTR_TRY(ParseWord(*direction, "direction", "read", "write"))};
  }
  if (const Json* tag = Find(json, "tag")) {
    request.tag = CutAtCharacter(KTSTR_TRY(ParseText(*tag, "tag")), kOpTagMax);
  }
  for (const Json& entry : *KTSTR_TRY(ParseArray(json, "the request", "entries"))) {
    auto parsed = ParseEntry(entry);
    if (!parsed) {
      return Fail(std::move(parsed).error().Wrap(fmt::format("entry[{}]", request.entries.size())));
    }
    request.entries.push_back(*std::move(parsed));
  }
  return request;
}

Result<OpReply> ReplyFromJson(std::string_view text) {
  const Json json = KTSTR_TRY(ParseObject(text));
  constexpr const char* kWhere = "the reply";
  KTSTR_TRY(CheckKeys(json, kWhere, {"request_id", "success", "reason", "error", "read_values"}));
  OpReply reply;
  reply.request_id =
      KTSTR_TRY(ParseU32(*KTSTR_TRY(Need(json, kWhere, "request_id")), "request_id"));
  reply.success = KTSTR_TRY(ParseBool(*KTSTR_TRY(Need(json, kWhere, "success")), "success"));
  reply.reason = KTSTR_TRY(ParseText(*KTSTR_TRY(Need(json, kWhere, "reason")), "reason"));
  reply.reason.resize(CutAtCharacter(reply.reason, kOpReasonMax).size());
  if (const auto error = json.find("error"); error != json.end()) {
    reply.error = KTSTR_TRY(ParseReplyError(*error));
  }
  for (const Json& value : *KTSTR_TRY(ParseArray(json, kWhere, "read_values"))) {
    OpValue parsed = KTSTR_TRY(ParseValue(value));
    if (std::holds_alternative<BytesWidth>(parsed) || std::holds_alternative<OrU32Value>(parsed)) {
      return Wrong(
          fmt::format("read_values[{}] is of a kind that no reply has", reply.read_values.size()));
    }
    reply.read_values.push_back(std::move(parsed));
  }
  return reply;
}

std::string ToJson(const OpRequest& request) {
  Json entries = Json::array();
  for (const OpEntry& entry : request.entries) {
    Json json = {{"target", std::visit(TargetToJson(), entry.target)},
                 {"value", std::visit(ValueToJson(), entry.value)}};
    if (entry.unchecked) json["unchecked"] = true;
    entries.push_back(std::move(json));
  }
  return Dump({{"request_id", request.request_id},
               {"mode", request.mode == OpMode::kHot ? "hot" : "cold"},
               {"direction", request.direction == OpDirection::kRead ? "read" : "write"},
               {"tag", request.tag},
               {"entries", std::move(entries)}});
}

std::string ToJson(const OpReply& reply) {
  Json values = Json::array();
  for (const OpValue& value : reply.read_values) values.push_back(std::visit(ValueToJson(), value));
  Json json = {
      {"request_id", reply.request_id}, {"success", reply.success}, {"reason", reply.reason}};
  if (reply.error) {
    json["error"] = {{"entry", reply.error->entry},
                     {"code", OpErrorCodeName(reply.error->code)},
                     {"layer", OpLayerName(reply.error->layer)}};
  }
  json["read_values"] = std::move(values);
  return Dump(json);
}

}  // namespace ktstr

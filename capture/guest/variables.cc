#include "variables.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "libcore/base/nearest_word.h"

namespace ktstr::guest {

namespace {

using nlohmann::json;

constexpr int kMaxDepth = 32;

std::string NameAt(const btf* types, uint32_t offset) {
  const char* name = btf__name_by_offset(types, offset);
  return name == nullptr ? "" : name;
}

// The type without typedefs, const and volatile.
const btf_type* Plain(const btf* types, uint32_t id) {
  const btf_type* type = btf__type_by_id(types, id);
  for (int i = 0; i < kMaxDepth && type != nullptr && (btf_is_mod(type) || btf_is_typedef(type));
       ++i) {
    type = btf__type_by_id(types, type->type);
  }
  return type;
}

bool IsNumber(const btf_type* type) {
  return type != nullptr && (btf_is_int(type) || btf_is_enum(type)) && type->size <= 8;
}

bool IsChar(const btf* types, const btf_type* type) {
  return type != nullptr && btf_is_int(type) && NameAt(types, type->name_off) == "char";
}

bool IsSigned(const btf_type* type) {
  return btf_is_int(type) ? (btf_int_encoding(type) & BTF_INT_SIGNED) != 0 : true;
}

std::string NoSuch(const std::string& what, const std::string& name,
                   const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return ktstr::UnknownWord(what, name, views);
}

// Narrows `found` to a member of what it is.
std::string FindMember(const btf* types, const std::string& member, Variable* found) {
  const btf_type* type = Plain(types, found->type);
  if (type == nullptr || !btf_is_composite(type)) return "'" + found->name + "' has no members";
  std::vector<std::string> names;
  for (int i = 0; i < btf_vlen(type); ++i) {
    names.push_back(NameAt(types, btf_members(type)[i].name_off));
    if (names.back() != member) continue;
    found->type = btf_members(type)[i].type;
    found->offset += btf_member_bit_offset(type, i) / 8;
    found->size = static_cast<uint32_t>(btf__resolve_size(types, found->type));
    found->name += "." + member;
    return "";
  }
  return NoSuch("member of '" + found->name + "'", member, names);
}

std::string StoreNumber(const btf_type* type, const std::string& name, const json& value,
                        std::byte* bytes) {
  if (!value.is_number_integer() && !value.is_boolean()) {
    return "variable '" + name + "' is an integer, not " + value.dump();
  }
  const uint64_t number = value.is_boolean() ? value.get<bool>() : value.get<uint64_t>();
  const bool negative =
      value.is_number_integer() && !value.is_number_unsigned() && value.get<int64_t>() < 0;
  // What is cut off must be the sign's extension.
  const int shift = 64 - 8 * static_cast<int>(type->size);
  const bool fits =
      negative ? IsSigned(type) && int64_t(number << shift) >> shift == static_cast<int64_t>(number)
               : number << shift >> shift == number;
  if (!fits) {
    return "variable '" + name + "' of " + std::to_string(type->size) + " bytes cannot hold " +
           value.dump();
  }
  std::memcpy(bytes, &number, type->size);
  return "";
}

std::string StoreText(const std::string& name, const json& value, size_t size, std::byte* bytes) {
  const std::string text = value.get<std::string>();
  if (text.size() >= size) {
    return "variable '" + name + "' holds " + std::to_string(size - 1) + " characters, not '" +
           text + "'";
  }
  std::memset(bytes, 0, size);
  std::memcpy(bytes, text.data(), text.size());
  return "";
}

std::string StoreArray(const btf* types, const btf_type* type, const std::string& name,
                       const json& value, std::byte* bytes) {
  const struct btf_array* array = btf_array(type);
  const btf_type* element = Plain(types, array->type);
  if (IsChar(types, element) && value.is_string()) {
    return StoreText(name, value, array->nelems, bytes);
  }
  if (!value.is_array() || !IsNumber(element) || value.size() > array->nelems) {
    return "variable '" + name + "' is an array of " + std::to_string(array->nelems) + ", not " +
           value.dump();
  }
  for (size_t i = 0; i < value.size(); ++i) {
    std::string error = StoreNumber(element, name, value[i], bytes + i * element->size);
    if (!error.empty()) return error;
  }
  return "";
}

json LoadNumber(const btf_type* type, const std::byte* bytes) {
  uint64_t number = 0;
  std::memcpy(&number, bytes, type->size);
  if (!IsSigned(type)) return number;
  const int shift = 64 - 8 * static_cast<int>(type->size);
  return static_cast<int64_t>(number << shift) >> shift;
}

json LoadArray(const btf* types, const btf_type* type, const std::byte* bytes) {
  const struct btf_array* array = btf_array(type);
  const btf_type* element = Plain(types, array->type);
  if (IsChar(types, element)) {
    const char* text = reinterpret_cast<const char*>(bytes);
    return std::string(text, strnlen(text, array->nelems));
  }
  if (!IsNumber(element)) return nullptr;
  json values = json::array();
  for (uint32_t i = 0; i < array->nelems; ++i) {
    values.push_back(LoadNumber(element, bytes + size_t{i} * element->size));
  }
  return values;
}

}  // namespace

std::vector<Variable> ListVariables(const btf* types) {
  std::vector<Variable> variables;
  for (uint32_t id = 1; id < btf__type_cnt(types); ++id) {
    const btf_type* section = btf__type_by_id(types, id);
    if (!btf_is_datasec(section)) continue;
    const std::string name = NameAt(types, section->name_off);
    if (name != ".data" && name != ".bss" && name != ".rodata" && name != ".struct_ops") continue;
    for (int i = 0; i < btf_vlen(section); ++i) {
      const btf_var_secinfo& place = btf_var_secinfos(section)[i];
      const btf_type* variable = btf__type_by_id(types, place.type);
      variables.push_back(
          {NameAt(types, variable->name_off), name, place.offset, place.size, variable->type});
    }
  }
  return variables;
}

std::string FindVariable(const btf* types, const std::string& path, Variable* found) {
  size_t dot = std::min(path.find('.'), path.size());
  const std::string name = path.substr(0, dot);
  const std::vector<Variable> variables = ListVariables(types);
  const auto match = std::find_if(variables.begin(), variables.end(),
                                  [&](const Variable& variable) { return variable.name == name; });
  if (match == variables.end()) {
    std::vector<std::string> names;
    for (const Variable& variable : variables) names.push_back(variable.name);
    return NoSuch("variable", name, names);
  }
  *found = *match;
  while (dot < path.size()) {
    const size_t end = std::min(path.find('.', dot + 1), path.size());
    std::string error = FindMember(types, path.substr(dot + 1, end - dot - 1), found);
    if (!error.empty()) return error;
    dot = end;
  }
  return "";
}

std::string StoreValue(const btf* types, const Variable& variable, const json& value,
                       std::byte* bytes) {
  const btf_type* type = Plain(types, variable.type);
  // Into a copy first: an array may fail in its middle.
  std::vector<std::byte> copy(bytes, bytes + variable.size);
  std::string error;
  if (IsNumber(type)) {
    error = StoreNumber(type, variable.name, value, copy.data());
  } else if (type != nullptr && btf_is_array(type)) {
    error = StoreArray(types, type, variable.name, value, copy.data());
  } else {
    error = "variable '" + variable.name + "' is neither an integer nor an array";
  }
  if (error.empty()) std::memcpy(bytes, copy.data(), copy.size());
  return error;
}

json LoadValue(const btf* types, uint32_t type_id, const std::byte* bytes) {
  const btf_type* type = Plain(types, type_id);
  if (IsNumber(type)) return LoadNumber(type, bytes);
  if (type != nullptr && btf_is_array(type)) return LoadArray(types, type, bytes);
  return nullptr;
}

}  // namespace ktstr::guest

#include "libcore/image/type_text.h"

#include <fmt/format.h>

namespace ktstr {

namespace {

// No C type is nested deeper; a damaged BTF that contains itself is.
constexpr int kMaxTextDepth = 32;

std::string Named(std::string_view keyword, std::string_view name) {
  return name.empty() ? fmt::format("{} {{…}}", keyword) : fmt::format("{} {}", keyword, name);
}

std::string Text(const TypeInfo& types, TypeId type, int depth);

// An array's dimensions stand behind its element, the outermost first.
std::string ArrayText(const TypeInfo& types, TypeId array, int depth) {
  std::string dimensions;
  for (; types.KindOf(array) == TypeKind::kArray && depth < kMaxTextDepth; ++depth) {
    dimensions += fmt::format("[{}]", types.ElementCount(array));
    array = types.Target(array);
  }
  return Text(types, array, depth + 1) + dimensions;
}

std::string PointerText(const TypeInfo& types, TypeId pointer, int depth) {
  const TypeId target = types.Target(pointer);
  if (types.KindOf(target) == TypeKind::kFunction) return "void (*)()";
  const std::string text = Text(types, target, depth + 1);
  return text.ends_with('*') ? text + "*" : text + " *";
}

std::string Text(const TypeInfo& types, TypeId type, int depth) {
  if (depth > kMaxTextDepth) return "…";
  type = types.WithoutQualifiers(type);
  const std::string_view name = types.NameOf(type);
  // What is stripped further is a typedef.
  if (types.Strip(type) != type) return std::string(name);
  switch (types.KindOf(type)) {
    case TypeKind::kVoid:
      return "void";
    case TypeKind::kPointer:
      return PointerText(types, type, depth);
    case TypeKind::kArray:
      return ArrayText(types, type, depth);
    case TypeKind::kStruct:
      return Named("struct", name);
    case TypeKind::kUnion:
      return Named("union", name);
    case TypeKind::kEnum:
      return Named("enum", name);
    case TypeKind::kFunction:
      return "void ()";
    case TypeKind::kInteger:
    case TypeKind::kFloat:
    case TypeKind::kOther:
      return name.empty() ? "?" : std::string(name);
  }
  return "?";
}

}  // namespace

std::string TypeText(const TypeInfo& types, TypeId type) { return Text(types, type, 0); }

}  // namespace ktstr

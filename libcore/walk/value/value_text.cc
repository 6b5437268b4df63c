#include "libcore/walk/value/value_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/base/safe_text.h"
#include "libcore/walk/value/value_json.h"

namespace ktstr {

namespace {

// No C type is nested deeper; a damaged BTF that contains itself is.
constexpr int kMaxDepth = 32;

bool IsComposite(TypeKind kind) { return kind == TypeKind::kStruct || kind == TypeKind::kUnion; }

class Printer {
 public:
  Printer(const GuestKernel& kernel, const TypeInfo& types, const ValueTextOptions& options)
      : kernel_(kernel), types_(types), options_(options) {}

  using Tags = std::span<const std::string_view>;

  // "NAME = VALUE", on as many lines as it takes; without a name the value alone. `tags` are those
  // of its declaration.
  void Print(const std::string& name, const TypedPlace& place, int depth, Tags tags = {}) {
    if (lines_ >= options_.max_lines) return;
    if (depth > kMaxDepth) return Line(name, "…", depth);
    if (PrintIfSpecial(name, place, depth, tags)) return;
    if (IsComposite(place.member.kind)) return PrintComposite(name, place, depth);
    if (place.member.kind == TypeKind::kArray && !IsText(place)) {
      return PrintArray(name, place, depth, tags);
    }
    Line(name, ScalarText(place), depth);
  }

  std::string Take() && {
    if (lines_ >= options_.max_lines) out_ += "…\n";
    return std::move(out_);
  }

 private:
  void Line(const std::string& name, const std::string& value, int depth) {
    if (lines_ >= options_.max_lines) return;
    ++lines_;
    out_.append(static_cast<size_t>(depth) * 2, ' ');
    out_ += name.empty() ? value + "\n" : fmt::format("{} = {}\n", SafeText(name), value);
  }

  bool PrintIfSpecial(const std::string& name, const TypedPlace& place, int depth, Tags tags) {
    if (options_.special == nullptr || place.member.is_bit_field()) return false;
    const auto facts = options_.special->FactsOf({types_, place.member.type, place.kva(), tags});
    if (!facts) return false;
    Line(name, "{", depth);
    for (const ValueFact& fact : *facts) {
      Line(std::string(fact.name), SafeText(fact.json), depth + 1);
    }
    Line("", "}", depth);
    return true;
  }

  void PrintComposite(const std::string& name, const TypedPlace& place, int depth) {
    Line(name, "{", depth);
    PrintMembers(place, depth + 1, 0);
    Line("", "}", depth);
  }

  // Members of anonymous structures, `nesting` deep in each other, stand beside the others.
  void PrintMembers(const TypedPlace& place, int depth, int nesting) {
    // A damaged BTF nests structures without end and without any other member.
    if (++structures_ > options_.max_lines || nesting > kMaxDepth) return;
    const auto members = types_.MembersOf(place.member.type);
    for (size_t i = 0; i < members.size(); ++i) {
      const NamedMember& named = members[i];
      if (lines_ >= options_.max_lines) return;
      TypedPlace inner{place.base, named.member};
      inner.member.offset += place.member.offset;
      if (named.name.empty()) {
        PrintMembers(inner, depth, nesting + 1);
      } else {
        Print(std::string(named.name), inner, depth, types_.TagsOfMember(place.member.type, i));
      }
    }
  }

  TypedPlace ElementOf(const TypedPlace& array, uint64_t index) const {
    TypedPlace element{array.base, {}};
    element.member.type = types_.Target(array.member.type);
    element.member.kind = types_.KindOf(element.member.type);
    element.member.size = types_.SizeOf(element.member.type).value_or(0);
    element.member.is_signed = types_.IsSigned(element.member.type);
    element.member.offset = array.member.offset + index * element.member.size;
    return element;
  }

  bool IsText(const TypedPlace& array) const {
    return types_.StyleOf(types_.Target(array.member.type)) == IntegerStyle::kCharacter;
  }

  void PrintArray(const std::string& name, const TypedPlace& place, int depth, Tags tags) {
    const uint64_t count = types_.ElementCount(place.member.type);
    const uint64_t shown = std::min<uint64_t>(count, options_.max_elements);
    const std::string rest = shown < count ? fmt::format("… {} more", count - shown) : "";
    const TypeKind kind = ElementOf(place, 0).member.kind;
    if (IsComposite(kind) || kind == TypeKind::kArray || IsTaggedPointer(place)) {
      return PrintBlocks(name, place, shown, rest, depth, tags);
    }
    std::string list;
    const auto add = [&](const std::string& text) { list += (list.empty() ? "" : ", ") + text; };
    for (uint64_t i = 0; i < shown;) {
      const std::string text = ScalarText(ElementOf(place, i));
      uint64_t same = 1;
      while (i + same < shown && ScalarText(ElementOf(place, i + same)) == text) ++same;
      add(same == 1 ? text : fmt::format("{} ×{}", text, same));
      i += same;
    }
    if (!rest.empty()) add(rest);
    Line(name, "[" + list + "]", depth);
  }

  bool IsTaggedPointer(const TypedPlace& array) const {
    return options_.special != nullptr &&
           !types_.TypeTagsOf(types_.Target(array.member.type)).empty();
  }

  // Each element on lines of its own; equal neighbours once.
  void PrintBlocks(const std::string& name, const TypedPlace& place, uint64_t shown,
                   const std::string& rest, int depth, Tags tags) {
    Line(name, "[", depth);
    for (uint64_t i = 0; i < shown && lines_ < options_.max_lines;) {
      const std::string text = BlockOf(ElementOf(place, i));
      uint64_t same = 1;
      while (i + same < shown && BlockOf(ElementOf(place, i + same)) == text) ++same;
      const std::string index =
          same == 1 ? fmt::format("[{}]", i) : fmt::format("[{}…{}]", i, i + same - 1);
      Print(index, ElementOf(place, i), depth + 1, tags);
      i += same;
    }
    if (!rest.empty()) Line("", rest, depth + 1);
    Line("", "]", depth);
  }

  // What tells two elements apart: their bytes, or why they cannot be read.
  std::string BlockOf(const TypedPlace& element) const {
    const auto bytes = ReadObject(kernel_, element);
    return bytes ? BytesToJson(*bytes) : bytes.error().ToString();
  }

  std::string ScalarText(const TypedPlace& place) const {
    const auto value = ReadValue(kernel_, types_, place);
    if (!value) return fmt::format("<{}>", SafeText(value.error().ToString()));
    if (const auto* number = std::get_if<int64_t>(&*value)) return NumberText(place, *number);
    if (const auto* real = std::get_if<double>(&*value)) return fmt::format("{}", *real);
    const auto& text = std::get<std::string>(*value);
    if (place.member.kind == TypeKind::kPointer) return PointerText(text, place);
    if (place.member.kind == TypeKind::kArray) return fmt::format("\"{}\"", SafeText(text));
    return SafeText(text);
  }

  std::string NumberText(const TypedPlace& place, int64_t number) const {
    const IntegerStyle style = types_.StyleOf(place.member.type);
    if (style == IntegerStyle::kBoolean && number <= 1) return number == 0 ? "false" : "true";
    if (style == IntegerStyle::kCharacter && number >= ' ' && number < 0x7f) {
      return fmt::format("{} '{}'", number, static_cast<char>(number));
    }
    return std::to_string(number);
  }

  std::string PointerText(const std::string& text, const TypedPlace& place) const {
    const auto target = kernel_.Read<Kva>(place.kva());
    if (!target) return text;
    if (target->is_null()) return "null";
    const auto symbol = options_.symbolize ? options_.symbolize(*target) : std::nullopt;
    return symbol ? fmt::format("{} <{}>", text, SafeText(*symbol)) : text;
  }

  const GuestKernel& kernel_;
  const TypeInfo& types_;
  const ValueTextOptions& options_;
  std::string out_;
  size_t lines_ = 0;
  size_t structures_ = 0;
};

}  // namespace

std::string ValueText(const GuestKernel& kernel, const TypeInfo& types, const TypedPlace& place,
                      const ValueTextOptions& options) {
  Printer printer(kernel, types, options);
  printer.Print("", place, 0);
  return std::move(printer).Take();
}

}  // namespace ktstr

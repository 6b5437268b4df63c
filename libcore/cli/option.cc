#include "libcore/cli/option.h"

#include <algorithm>
#include <utility>

namespace ktstr {

namespace {

std::vector<std::string> SplitNames(std::string_view names) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t comma = names.find(',');
    parts.emplace_back(names.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    names.remove_prefix(comma + 1);
  }
}

}  // namespace

Option& Option::TypeName(std::string name) {
  type_name_ = std::move(name);
  return *this;
}

Option& Option::Help(std::string help) {
  help_ = std::move(help);
  return *this;
}

Option& Option::ShowDefault() {
  shows_default_ = true;
  return *this;
}

Option& Option::Required() {
  required_ = true;
  return *this;
}

Option& Option::RequiredUnless(std::string other) {
  required_unless_ = std::move(other);
  return *this;
}

Option& Option::Between(int64_t least, int64_t most) {
  range_ = OptionRange{.least = least, .most = most};
  return *this;
}

Option& Option::BetweenShown(int64_t least, int64_t most) {
  range_ = OptionRange{.least = least, .most = most, .in_help = true};
  return *this;
}

Option& Option::OneOf(std::vector<std::string> words) {
  words_ = std::move(words);
  return *this;
}

Option& Option::Files(std::string suffix) {
  files_ = FileKind::kFiles;
  suffix_ = std::move(suffix);
  return *this;
}

Option& Option::Offer(std::function<std::vector<std::string>()> words) {
  offered_ = std::move(words);
  return *this;
}

Option& Option::Delimiter(char delimiter) {
  delimiter_ = delimiter;
  return *this;
}

Option& Option::Count(int least, int most) {
  count_ = {least, most};
  return *this;
}

Option& Option::OneEach() {
  one_each_ = true;
  return *this;
}

Option& Option::Needs(std::string other) {
  needs_.push_back(std::move(other));
  return *this;
}

Option& Option::Excludes(std::string other) {
  excludes_.push_back(std::move(other));
  return *this;
}

bool Option::IsCalled(std::string_view name) const {
  return std::ranges::any_of(SplitNames(names_),
                             [&](const std::string& own) { return own == name; });
}

std::vector<std::string> Option::Names() const { return SplitNames(names_); }

std::string Option::ValueName() const {
  if (type_name_ && !type_name_->empty()) return *type_name_;
  const bool is_text = std::holds_alternative<std::string*>(target_) ||
                       std::holds_alternative<std::vector<std::string>*>(target_);
  return is_text ? "TEXT" : "N";
}

std::vector<std::string> Option::LongNames() const {
  std::vector<std::string> names = Names();
  std::erase_if(names, [](const std::string& name) { return !name.starts_with("--"); });
  return names;
}

}  // namespace ktstr

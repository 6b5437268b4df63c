#include "capture/wake/qemu_words.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

namespace ktstr {

namespace {

using nlohmann::json;

// The options without a value of QEMU 7.2 to 11.1 (qemu-options.hx).
const std::set<std::string_view>& WithoutValue() {
  static const std::set<std::string_view> names = {"S",
                                                   "alt-grab",
                                                   "async-teardown",
                                                   "ctrl-grab",
                                                   "curses",
                                                   "daemonize",
                                                   "enable-kvm",
                                                   "enable-sync-profile",
                                                   "full-screen",
                                                   "h",
                                                   "help",
                                                   "mem-prealloc",
                                                   "no-acpi",
                                                   "no-fd-bootchk",
                                                   "no-hpet",
                                                   "no-quit",
                                                   "no-reboot",
                                                   "no-shutdown",
                                                   "no-user-config",
                                                   "nodefaults",
                                                   "nographic",
                                                   "old-param",
                                                   "only-migratable",
                                                   "portrait",
                                                   "preconfig",
                                                   "s",
                                                   "sdl",
                                                   "semihosting",
                                                   "singlestep",
                                                   "snapshot",
                                                   "usb",
                                                   "version",
                                                   "win2k-hack",
                                                   "xen-attach",
                                                   "xen-domid-restrict"};
  return names;
}

// Whether a word names a QEMU: "qemu-system-x86_64", "/usr/libexec/qemu-kvm", "kvm".
bool IsQemu(const std::string& word) {
  const std::string name = std::filesystem::path(word).filename();
  return name.starts_with("qemu-system-") || name == "qemu-kvm" || name == "kvm" || name == "qemu";
}

std::string Doubled(std::string_view value) {
  std::string text;
  for (const char c : value) text.append(c == ',' ? 2 : 1, c);
  return text;
}

// The next part of a list, up to a single comma; two commas are one.
std::string NextPart(std::string_view* text) {
  std::string part;
  while (!text->empty()) {
    const char c = text->front();
    text->remove_prefix(1);
    if (c == ',') {
      if (text->empty() || text->front() != ',') break;
      text->remove_prefix(1);
    }
    part += c;
  }
  return part;
}

std::optional<std::string> ScalarText(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "on" : "off";
  if (value.is_number_integer()) return value.dump();
  return std::nullopt;
}

}  // namespace

QemuWords SplitQemuCommand(const std::vector<std::string>& argv) {
  QemuWords words;
  // A loader may stand before it ("ld-linux-x86-64.so.2 --library-path DIR qemu-system-x86_64").
  const auto named = std::ranges::find_if(argv, IsQemu);
  auto word = named != argv.end() ? named + 1 : argv.begin() + (argv.empty() ? 0 : 1);
  words.program.assign(argv.begin(), word);
  for (; word != argv.end(); ++word) {
    if (!word->starts_with('-') || word->size() == 1) {
      words.options.push_back({"", *word});
      continue;
    }
    QemuOption option = {.name = word->substr(word->starts_with("--") ? 2 : 1)};
    if (!WithoutValue().contains(option.name) && word + 1 != argv.end()) option.value = *++word;
    words.options.push_back(std::move(option));
  }
  return words;
}

std::vector<std::string> JoinQemuCommand(const QemuWords& words) {
  std::vector<std::string> argv = words.program;
  for (const QemuOption& option : words.options) {
    if (!option.name.empty()) argv.push_back("-" + option.name);
    if (option.value) argv.push_back(*option.value);
  }
  return argv;
}

std::optional<QemuProperties> QemuProperties::Parse(std::string_view text,
                                                    std::string_view implied) {
  QemuProperties properties;
  properties.implied_ = implied;
  if (text.starts_with('{')) {
    const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return std::nullopt;
    for (const auto& [key, value] : object.items()) {
      const auto scalar = ScalarText(value);
      if (!scalar) return std::nullopt;
      properties.properties_.emplace_back(key, *scalar);
    }
    return properties;
  }
  for (bool first = true; !text.empty(); first = false) {
    const std::string part = NextPart(&text);
    const size_t equals = part.find('=');
    if (equals != part.npos) {
      properties.properties_.emplace_back(part.substr(0, equals), part.substr(equals + 1));
    } else if (first && !implied.empty()) {
      properties.properties_.emplace_back(implied, part);
    } else {
      properties.properties_.emplace_back(part, "on");
    }
  }
  return properties;
}

std::string QemuProperties::Get(std::string_view key) const {
  const auto found = std::ranges::find(properties_, key, [](const auto& p) { return p.first; });
  return found == properties_.end() ? "" : found->second;
}

bool QemuProperties::Has(std::string_view key) const {
  return std::ranges::find(properties_, key, [](const auto& p) { return p.first; }) !=
         properties_.end();
}

void QemuProperties::Set(std::string_view key, std::string value) {
  const auto found = std::ranges::find(properties_, key, [](const auto& p) { return p.first; });
  if (found != properties_.end()) {
    found->second = std::move(value);
  } else if (key == implied_) {
    properties_.emplace(properties_.begin(), key, std::move(value));
  } else {
    properties_.emplace_back(key, std::move(value));
  }
}

void QemuProperties::Erase(std::string_view key) {
  std::erase_if(properties_, [&](const auto& property) { return property.first == key; });
}

std::string QemuProperties::ToText() const {
  // The implied key's value stands first, by itself.
  std::string text;
  if (Has(implied_)) text = Doubled(Get(implied_));
  for (const auto& [key, value] : properties_) {
    if (key == implied_) continue;
    if (!text.empty()) text += ',';
    text += key + "=" + Doubled(value);
  }
  return text;
}

}  // namespace ktstr

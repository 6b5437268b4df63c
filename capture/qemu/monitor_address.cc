#include "capture/qemu/monitor_address.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <system_error>

#include "capture/qemu/process_info.h"
#include "capture/qemu/qmp_address.h"

namespace ktstr {

namespace {

// "socket,id=x,path=/run/x" as {"": "socket", "id": "x", …}. A comma in a value is written twice.
std::map<std::string, std::string> Options(std::string_view text) {
  std::map<std::string, std::string> options;
  std::string item;
  const auto keep = [&] {
    const size_t equals = item.find('=');
    if (equals == std::string::npos) {
      options.emplace("", item);
    } else {
      options[item.substr(0, equals)] = item.substr(equals + 1);
    }
    item.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      item += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      item += text[i++];
    } else {
      keep();
    }
  }
  keep();
  return options;
}

// Of a socket that others can connect to.
std::optional<std::string> AddressOfChardev(const std::map<std::string, std::string>& chardev) {
  const auto value = [&](const char* key) {
    const auto found = chardev.find(key);
    return found == chardev.end() ? std::string() : found->second;
  };
  if (value("") != "socket") return std::nullopt;
  if (!value("path").empty()) return "unix:" + value("path");
  const bool ipv6 = value("host").find(':') != std::string::npos;
  if (!value("port").empty()) {
    return fmt::format("tcp:{}{}{}:{}", ipv6 ? "[" : "", value("host"), ipv6 ? "]" : "",
                       value("port"));
  }
  return std::nullopt;
}

// "--qmp" is "-qmp" to QEMU.
std::string_view WithoutDashes(std::string_view word) {
  if (!word.starts_with('-')) return {};
  return word.substr(word.starts_with("--") ? 2 : 1);
}

}  // namespace

std::optional<std::string> MonitorOnCommandLine(std::span<const std::string> argv) {
  std::map<std::string, std::string> addresses;  // of chardevs, by id
  for (size_t i = 0; i + 1 < argv.size(); ++i) {
    if (WithoutDashes(argv[i]) != "chardev") continue;
    const auto options = Options(argv[i + 1]);
    const auto address = AddressOfChardev(options);
    if (address && options.contains("id")) addresses[options.at("id")] = *address;
  }
  for (size_t i = 0; i + 1 < argv.size(); ++i) {
    const std::string_view word = WithoutDashes(argv[i]);
    if (word == "qmp" || word == "qmp-pretty") {
      const std::string& value = argv[i + 1];
      if (value.starts_with("unix:") || value.starts_with("tcp:")) return value;
    }
    if (word != "mon") continue;
    const auto options = Options(argv[i + 1]);
    const auto mode = options.find("mode"), chardev = options.find("chardev");
    if (mode == options.end() || mode->second != "control") continue;
    const auto& id = chardev != options.end() ? chardev->second
                     : options.contains("")   ? options.at("")
                                              : "";
    if (const auto found = addresses.find(id); found != addresses.end()) return found->second;
  }
  return std::nullopt;
}

Result<std::string> MonitorOfProcess(pid_t pid) {
  const std::vector<std::string> argv = KTSTR_TRY(ReadCommandLine(pid));
  const auto address = MonitorOnCommandLine(argv);
  if (!address) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("the command line of process {} names no QMP socket that others can "
                            "connect to: start QEMU with -qmp unix:SOCKET,server=on,wait=off, or "
                            "name with --qmp the one that it has",
                            pid));
  }
  const QmpAddress parsed = KTSTR_TRY(ParseQmpAddress(*address));
  if (parsed.path.empty() || parsed.path.starts_with('/')) return *address;
  std::error_code ignored;
  const auto directory = std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", pid), ignored);
  return "unix:" + (directory / parsed.path).string();
}

}  // namespace ktstr

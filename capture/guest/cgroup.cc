#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

namespace ktstr::guest {

namespace {

using nlohmann::json;

std::string WriteFile(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool done = fd >= 0 && write(fd, text.data(), text.size()) == ssize_t(text.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  return done ? "" : "writing '" + text + "' to " + path + ": " + strerror(error);
}

// "cpu.weight" belongs to the controller cpu; "cgroup.procs" to none.
std::set<std::string> ControllersOf(const json& files) {
  std::set<std::string> controllers;
  for (const auto& [name, value] : files.items()) {
    const std::string controller = name.substr(0, name.find('.'));
    if (controller != "cgroup") controllers.insert(controller);
  }
  return controllers;
}

// Each cgroup's controllers are enabled by its parent.
std::string MakeDirectories(const std::string& path, const std::set<std::string>& controllers) {
  for (size_t slash = 0; slash != std::string::npos && slash < path.size();) {
    const std::string parent = kCgroupRoot + path.substr(0, slash);
    for (const std::string& controller : controllers) {
      std::string error = WriteFile(parent + "/cgroup.subtree_control", "+" + controller);
      if (!error.empty()) return error;
    }
    slash = path.find('/', slash + 1);
    const std::string directory = kCgroupRoot + path.substr(0, slash);
    if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
      return "making cgroup " + directory + ": " + strerror(errno);
    }
  }
  return "";
}

std::string TextOf(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

std::string SetUpCgroup(const json& request) {
  const std::string path = request.value("path", "");
  if (path.size() < 2 || path[0] != '/' || path.back() == '/') {
    return "a cgroup's path looks like /a/b, not '" + path + "'";
  }
  const json files = request.value("files", json::object());
  std::string error = MakeDirectories(path, ControllersOf(files));
  if (!error.empty()) return error;
  for (const auto& [name, value] : files.items()) {
    const std::string file = kCgroupRoot + path + "/" + name;
    for (const json& each : value.is_array() ? value : json::array({value})) {
      error = WriteFile(file, TextOf(each));
      if (!error.empty()) return error;
    }
  }
  return "";
}

}  // namespace ktstr::guest

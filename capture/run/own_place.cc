#include "capture/run/own_place.h"

#include <fmt/format.h>

#include <vector>

#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".bpf.o";

fs::path OwnDirectory() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

fs::path& share_directory() {
  static fs::path directory;
  return directory;
}

// Where share/ktstr can be: of an installed program, and of one in the build tree.
std::vector<fs::path> SharePlaces() {
  return {share_directory(), OwnDirectory() / ".." / "share" / "ktstr",
          OwnDirectory() / "../.." / "share" / "ktstr"};
}

}  // namespace

std::string ProgramBeside(const std::string& name) {
  std::error_code ignored;
  const fs::path beside = OwnDirectory() / name;
  return fs::exists(beside, ignored) ? beside.string() : name;
}

void SetShareDirectory(const fs::path& directory) { share_directory() = directory; }

std::map<std::string, fs::path> OwnSchedulers() {
  std::map<std::string, fs::path> schedulers;
  std::error_code ignored;
  for (const fs::path& place : SharePlaces()) {
    for (const auto& entry : fs::directory_iterator(place / "schedulers", ignored)) {
      const std::string file = entry.path().filename().string();
      if (!file.ends_with(kSuffix)) continue;
      schedulers.try_emplace(file.substr(0, file.size() - kSuffix.size()),
                             entry.path().lexically_normal());
    }
  }
  return schedulers;
}

Result<fs::path> OwnScheduler(const std::string& name) {
  const auto schedulers = OwnSchedulers();
  if (const auto found = schedulers.find(name); found != schedulers.end()) return found->second;
  std::vector<std::string_view> names;
  for (const auto& [known, object] : schedulers) names.push_back(known);
  return Fail(ErrorCode::kNotFound, UnknownWord("scheduler", name, names) +
                                        " (the path of a BPF object has a slash in it)");
}

std::string OwnScript(const std::string& script) {
  std::error_code ignored;
  for (const fs::path& place : SharePlaces()) {
    const fs::path installed = place / script;
    if (!place.empty() && fs::exists(installed, ignored)) return installed.lexically_normal();
  }
  return script;
}

}  // namespace ktstr

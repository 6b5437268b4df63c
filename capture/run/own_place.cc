#include "ktstr/run/own_place.h"

#include <fmt/format.h>

#include <vector>

#include "ktstr/scenario/nearest_word.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".bpf.o";

fs::path OwnDirectory() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

}  // namespace

std::string ProgramBeside(const std::string& name) {
  std::error_code ignored;
  const fs::path beside = OwnDirectory() / name;
  return fs::exists(beside, ignored) ? beside.string() : name;
}

Result<fs::path> OwnScheduler(const std::string& name) {
  std::error_code ignored;
  std::vector<std::string> names;
  // Of an installed program and of one in the build tree; of a test's beside it.
  for (const char* up : {"..", "../.."}) {
    const fs::path directory = OwnDirectory() / up / "share" / "ktstr" / "schedulers";
    const fs::path object = directory / (name + std::string(kSuffix));
    if (fs::exists(object, ignored)) return object.lexically_normal();
    for (const auto& entry : fs::directory_iterator(directory, ignored)) {
      const std::string file = entry.path().filename().string();
      if (file.ends_with(kSuffix)) names.push_back(file.substr(0, file.size() - kSuffix.size()));
    }
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  return Fail(ErrorCode::kNotFound, UnknownWord("scheduler", name, views) +
                                        " (the path of a BPF object has a slash in it)");
}

}  // namespace ktstr

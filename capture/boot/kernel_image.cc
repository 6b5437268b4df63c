#include "capture/boot/kernel_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "capture/boot/kernel_module.h"
#include "capture/system/system_error.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

// Loads modules' names and files once, then resolves dependencies depth first.
class ModuleResolver {
 public:
  explicit ModuleResolver(const KernelImage& kernel) : kernel_(kernel) {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(kernel.modules, error)) {
      if (const std::string name = ModuleName(entry.path()); !name.empty()) {
        files_.emplace(name, entry.path());
      }
    }
    std::ifstream list(kernel.modules / "modules.builtin");
    for (std::string line; std::getline(list, line);) built_in_.insert(ModuleName(line));
  }

  Status Add(const std::string& name) {
    // A kernel without a directory of modules has what it needs, or fails saying so.
    if (kernel_.modules.empty() || built_in_.contains(name) || done_.contains(name)) return {};
    const auto file = files_.find(name);
    if (file == files_.end()) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("kernel {} has no module '{}', neither built in nor in '{}'",
                              kernel_.release, name, kernel_.modules.string()));
    }
    done_.insert(name);  // before its dependencies: a cycle ends here
    for (const std::string& other : KTSTR_TRY(ModuleDependencies(file->second))) {
      KTSTR_TRY(Add(other));
    }
    order_.push_back(file->second);
    return {};
  }

  std::vector<fs::path> Take() { return std::move(order_); }

 private:
  const KernelImage& kernel_;
  std::map<std::string, fs::path> files_;
  std::set<std::string> built_in_, done_;
  std::vector<fs::path> order_;
};

// "6.12.1-amd64 (someone@somewhere) #1 SMP …" at the place the header tells.
Result<std::string> ReadRelease(const fs::path& path) {
  std::error_code failed;  // as where a directory may not be looked into: reading says it below
  if (!fs::exists(path, failed) && !failed) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no kernel '{}'", path.string()));
  }
  std::ifstream file(path, std::ios::binary);
  std::array<char, 65536> head = {};
  file.read(head.data(), head.size());
  if (file.gcount() == 0) return FailErrno(fmt::format("reading the kernel '{}'", path.string()));
  constexpr size_t kMagicAt = 0x202, kVersionAt = 0x20e;
  uint16_t version_at = 0;
  std::memcpy(&version_at, head.data() + kVersionAt, sizeof version_at);
  const size_t begin = size_t{version_at} + 0x200;
  if (std::memcmp(head.data() + kMagicAt, "HdrS", 4) != 0 || version_at == 0 ||
      begin >= head.size()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("'{}' is no x86 kernel image (bzImage)", path.string()));
  }
  const std::string_view text(head.data() + begin, head.size() - begin);
  return std::string(text.substr(0, text.find_first_of(std::string_view(" \0", 2))));
}

}  // namespace

Result<KernelImage> OpenKernelImage(const fs::path& bzimage) {
  KernelImage kernel;
  kernel.path = bzimage;
  kernel.release = KTSTR_TRY(ReadRelease(bzimage));
  std::error_code error;
  const fs::path beside = fs::absolute(bzimage, error).parent_path().parent_path();
  for (const fs::path& root : {beside, beside / "usr", fs::path("/")}) {
    const fs::path modules = root / "lib" / "modules" / kernel.release;
    if (fs::is_directory(modules, error)) {
      kernel.modules = modules;
      break;
    }
  }
  const fs::path own = "config-" + kernel.release, directory = bzimage.parent_path();
  for (const fs::path& config : {directory / own, directory / "config", kernel.modules / "config",
                                 fs::path("/boot") / own}) {
    if (fs::is_regular_file(config, error)) {
      kernel.config = config;
      break;
    }
  }
  return kernel;
}

Result<std::vector<fs::path>> ResolveModules(const KernelImage& kernel,
                                             const std::vector<std::string_view>& wanted) {
  ModuleResolver resolver(kernel);
  for (const std::string_view name : wanted) KTSTR_TRY(resolver.Add(std::string(name)));
  return resolver.Take();
}

}  // namespace ktstr

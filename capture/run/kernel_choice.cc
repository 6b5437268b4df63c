#include "capture/run/kernel_choice.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "capture/run/own_place.h"
#include "libcore/base/cache_directory.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

struct KnownKernel {
  std::string_view name;
  std::string_view folder;  // how the name of its folder in the cache begins
  std::string_view script;  // what gets it, and what it is told
  std::string_view argument;
};

constexpr KnownKernel kKnown[] = {
    {"scx-small", "scx-small-", "fixtures/kernel/build.sh", "small"},
    {"scx-distribution", "scx-distribution-", "fixtures/kernel/build.sh", "distribution"},
    {"debian-6.12", "linux-image-6.12-cloud-amd64", "fixtures/guest/kernel.sh", "6.12"},
    {"debian-6.1", "linux-image-cloud-amd64", "fixtures/guest/kernel.sh", "6.1"},
};

constexpr std::string_view kDebian = "debian-";

std::string_view TakeDigits(std::string_view& text) {
  const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  return digits;
}

// NUMBER, NUMBER.NUMBER…, "newest" or "newest-NUMBER", each also with "-rt" or "-full": the names
// that fixtures/guest/kernel.sh takes.
bool IsDebianVersion(std::string_view text) {
  for (const std::string_view flavour : {"-rt", "-full"}) {
    if (text.ends_with(flavour)) {
      text.remove_suffix(flavour.size());
      break;
    }
  }
  if (text == "newest") return true;
  if (text.starts_with("newest-")) text.remove_prefix(7);
  while (!TakeDigits(text).empty()) {
    if (text.empty()) return true;
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
  return false;
}

bool OlderVersion(const fs::path& a, const fs::path& b) {
  return strverscmp(a.c_str(), b.c_str()) < 0;
}

bool NewerTime(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::last_write_time(a, ignored) > fs::last_write_time(b, ignored);
}

// The newest "vmlinuz-*" of a directory; empty when there is none.
fs::path NewestImage(const fs::path& directory) {
  std::vector<fs::path> images;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path().filename().string().starts_with("vmlinuz-")) images.push_back(entry.path());
  }
  const auto newest = std::ranges::max_element(images, OlderVersion);
  return newest == images.end() ? fs::path() : *newest;
}

fs::path FindIn(const fs::path& cache, const KnownKernel& kernel) {
  std::vector<fs::path> folders;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(cache, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool whole = !kernel.folder.ends_with('-');
    if (whole ? name == kernel.folder : name.starts_with(kernel.folder)) {
      folders.push_back(entry.path());
    }
  }
  std::ranges::sort(folders, NewerTime);
  for (const fs::path& folder : folders) {
    if (fs::exists(folder / "bzImage", ignored)) return folder / "bzImage";
    if (fs::path image = NewestImage(folder / "boot"); !image.empty()) return image;
  }
  return {};
}

Error NotInCache(const fs::path& cache, const std::string& name, std::string_view script,
                 std::string_view argument) {
  return Error(ErrorCode::kNotFound,
               fmt::format("the kernel '{}' is not in '{}': bash {} {} gets it", name,
                           cache.string(), OwnScript(std::string(script)), argument));
}

Result<fs::path> FindDebian(const fs::path& cache, const std::string& name,
                            const std::string& version) {
  fs::path image = NewestImage(cache / name / "boot");
  if (!image.empty()) return image;
  return Fail(NotInCache(cache, name, "fixtures/guest/kernel.sh", version));
}

}  // namespace

std::vector<std::string> KnownKernelNames() {
  std::vector<std::string> names = {"host", "debian-newest", "debian-newest-6", "debian-newest-7"};
  for (const KnownKernel& kernel : kKnown) names.emplace_back(kernel.name);
  return names;
}

Result<fs::path> ResolveKernelIn(const fs::path& cache, const std::string& name) {
  if (name.find('/') != std::string::npos) {
    std::error_code ignored;
    if (fs::exists(name, ignored)) return fs::path(name);
    return Fail(ErrorCode::kNotFound, fmt::format("there is no kernel '{}'", name));
  }
  if (name == "host") {
    fs::path image = NewestImage("/boot");
    if (!image.empty()) return image;
    return Fail(ErrorCode::kNotFound, "there is no kernel /boot/vmlinuz-*");
  }
  const auto known = std::ranges::find(kKnown, name, &KnownKernel::name);
  if (known == std::end(kKnown)) {
    const std::string version = name.starts_with(kDebian) ? name.substr(kDebian.size()) : "";
    if (IsDebianVersion(version)) return FindDebian(cache, name, version);
    const std::vector<std::string> names = KnownKernelNames();
    const std::vector<std::string_view> words(names.begin(), names.end());
    return Fail(ErrorCode::kInvalidArgument,
                UnknownWord("kernel", name, words) + " (a path has a slash in it)");
  }
  fs::path image = FindIn(cache, *known);
  if (!image.empty()) return image;
  return Fail(NotInCache(cache, name, known->script, known->argument));
}

Result<fs::path> ResolveKernel(const std::string& name) {
  return ResolveKernelIn(fs::path(UserCacheDirectory()) / "kernels", name);
}

}  // namespace ktstr

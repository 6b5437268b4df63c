#include "guest_kernels.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <sstream>

namespace ktstr {

namespace {

// The path that a script prints, empty when it fails.
std::filesystem::path PathFrom(const std::string& command) {
  FILE* script = popen(command.c_str(), "r");
  if (script == nullptr) return {};
  std::string path;
  for (int c; (c = std::fgetc(script)) != EOF && c != '\n';) path += static_cast<char>(c);
  return pclose(script) == 0 ? std::filesystem::path(path) : std::filesystem::path();
}

}  // namespace

std::filesystem::path StockKernel(const std::string& version) {
  return PathFrom("bash " KTSTR_KERNEL_SCRIPT " " + version);
}

std::filesystem::path StockKernelTypes(const std::string& version) {
  return PathFrom("bash " KTSTR_KERNEL_TYPES_SCRIPT " " + version);
}

std::filesystem::path SchedExtKernel(const std::string& variant) {
  return PathFrom("bash " KTSTR_KERNEL_BUILD_SCRIPT " " + variant);
}

std::filesystem::path AnyKernel(const std::string& name) {
  return name == "small" || name == "distribution" ? SchedExtKernel(name) : StockKernel(name);
}

std::vector<std::string> OtherKernels(std::vector<std::string> usual) {
  const char* list = std::getenv("KTSTR_TEST_KERNELS");
  if (list == nullptr) return usual;
  std::istringstream words(list);
  return {std::istream_iterator<std::string>(words), {}};
}

std::vector<std::string> OwnAndOtherKernels(std::vector<std::string> own,
                                            std::vector<std::string> usual) {
  std::ranges::move(OtherKernels(std::move(usual)), std::back_inserter(own));
  return own;
}

std::string KernelTestName(const std::string& name) {
  std::string shown;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) continue;
    shown += shown.empty() ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
  }
  return std::isdigit(static_cast<unsigned char>(shown[0])) != 0 ? "Linux" + shown : shown;
}

std::string QemuForSchedulers() { return QemuProgram("10"); }

std::string QemuProgram(const std::string& version) {
  if (version == "installed") return "qemu-system-x86_64";
  return PathFrom("bash " KTSTR_QEMU_SCRIPT " " + version).string();
}

}  // namespace ktstr

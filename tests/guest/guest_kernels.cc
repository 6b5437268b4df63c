#include "guest_kernels.h"

#include <cstdio>

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

std::filesystem::path SchedExtKernel(const std::string& variant) {
  return PathFrom("bash " KTSTR_KERNEL_BUILD_SCRIPT " " + variant);
}

std::string QemuProgram(const std::string& version) {
  if (version == "installed") return "qemu-system-x86_64";
  return PathFrom("bash " KTSTR_QEMU_SCRIPT " " + version).string();
}

}  // namespace ktstr

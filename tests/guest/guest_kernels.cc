#include "guest_kernels.h"

#include <cstdio>

namespace ktstr {

std::filesystem::path StockKernel(const std::string& version) {
  FILE* script = popen(("bash " KTSTR_KERNEL_SCRIPT " " + version).c_str(), "r");
  if (script == nullptr) return {};
  std::string path;
  for (int c; (c = std::fgetc(script)) != EOF && c != '\n';) path += static_cast<char>(c);
  return pclose(script) == 0 ? std::filesystem::path(path) : std::filesystem::path();
}

}  // namespace ktstr

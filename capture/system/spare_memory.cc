#include "capture/system/spare_memory.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace ktstr {

uint64_t SpareMemory() {
  constexpr uint64_t kMost = uint64_t{4} << 30;
  std::ifstream information("/proc/meminfo");
  std::string name;
  uint64_t kib = 0;
  for (std::string rest; information >> name >> kib; std::getline(information, rest)) {
    if (name == "MemAvailable:") return std::min(kMost, kib * 1024 / 4);
  }
  return 0;
}

}  // namespace ktstr

#include "libcore/base/cache_directory.h"

#include <cstdlib>

namespace ktstr {

std::string UserCacheDirectory() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::string(cache) + "/ktstr";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return std::string(home) + "/.cache/ktstr";
  }
  return "";
}

}  // namespace ktstr

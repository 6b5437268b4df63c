// Where what can be made anew is kept: the user's cache directory.
#pragma once

#include <string>

namespace ktstr {

// "$XDG_CACHE_HOME/ktstr", else "$HOME/.cache/ktstr"; empty when neither variable is set. It may
// not exist yet.
std::string UserCacheDirectory();

}  // namespace ktstr

#include "libcore/image/name_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ktstr {

uint64_t NameHash(std::string_view name) { return XXH3_64bits(name.data(), name.size()); }

}  // namespace ktstr

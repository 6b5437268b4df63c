// Single pages, compressed as kdump files have them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "libcore/base/address.h"
#include "libcore/base/result.h"

namespace ktstr::vmcore {

// Loads what decompresses pages of these flags. Errors: kUnsupported where the system lacks it.
Status FindDecompressors(uint32_t flags);

// `flags` are those of the page's descriptor: kKdumpZlib and the others, none for a page as it is.
// Errors: kDamaged where it gives no whole page, kUnsupported.
Status DecompressPage(uint32_t flags, std::span<const std::byte> in,
                      std::span<std::byte, kPageSize> out);

}  // namespace ktstr::vmcore

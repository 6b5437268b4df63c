// Finds the kallsyms tables of a kernel that does not say where they are: one that has not got as
// far as to write its VMCOREINFO, or one before 6.0, whose note does not tell.
#pragma once

#include <vector>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/image/kallsyms.h"
#include "libcore/paging/address_space.h"

namespace ktstr {

// Searches the kernel image that is mapped from `begin` on. Gives each way in which the tables can
// be read, the likeliest first: which of them it is, symbols with known addresses tell
// (Kallsyms::Read). Errors: kNotFound.
Result<std::vector<KallsymsTables>> FindKallsyms(const AddressSpace& space, Kva begin, Kva end);

}  // namespace ktstr

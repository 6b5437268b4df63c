// Where a guest's VMCOREINFO notes are, looked for before it is stopped.
#pragma once

#include <cstdint>
#include <vector>

#include "capture/live_memory.h"
#include "capture/qemu/qmp_client.h"
#include "libcore/base/address.h"
#include "libcore/image/vmcoreinfo.h"
#include "libcore/kernel/image_store.h"

namespace ktstr {

// Where the notes' texts begin.
std::vector<Pa> PlacesOf(const std::vector<Vmcoreinfo>& notes);

// As Vmcoreinfo::FindAll, for a guest whose user data will not be read: where a kernel is found
// that all vCPUs are in, the pages that it calls user data are not looked at. Most of a guest's
// memory can be such, and each page that is looked at costs as much as reading it. The kernel's
// symbols are taken from `images` if they are there; they are not put there, since a guest that
// runs can change what they are decoded of. Guests that have touched less than `many_pages` are
// searched as they are, which takes less time than to ask their kernel.
std::vector<Pa> FindNotes(QmpClient& qmp, LiveMemory& memory, const ImageStore* images,
                          uint64_t many_pages = uint64_t{1} << 17);

}  // namespace ktstr

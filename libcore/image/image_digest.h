// The bytes of guest memory that a kernel's symbols and types are decoded from, and a digest of
// them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/image/kallsyms.h"
#include "libcore/paging/address_space.h"

namespace ktstr {

// How many they are.
struct ImageExtents {
  KallsymsExtents kallsyms;
  uint64_t btf_bytes = 0;  // 0: without types
};

// Where they lie in one machine.
struct ImagePlaces {
  KallsymsTables tables;
  Kva btf;
};

// XXH3 of 128 bits with a secret.
using ImageKey = std::array<std::byte, 192>;
using ImageDigest = std::array<std::byte, 16>;

// Errors: kIo when the system gives no random bytes.
Result<ImageKey> RandomImageKey();

// KASLR moves the places, not the bytes, but for those of kallsyms_addresses. Reads with several
// threads. Errors: kUnsupported (kallsyms_addresses), and those of AddressSpace::Read.
Result<ImageDigest> DigestImage(const AddressSpace& space, const ImagePlaces& places,
                                const ImageExtents& extents, const ImageKey& key);

// The same of what those bytes are stored as in a memory that has that at less cost
// (GuestMemory::ReadStored), which is another digest. Two machines that have one have the other;
// nothing where the memory has no such thing, or where they cannot be read.
std::optional<ImageDigest> DigestStoredImage(const AddressSpace& space, const ImagePlaces& places,
                                             const ImageExtents& extents, const ImageKey& key);

}  // namespace ktstr

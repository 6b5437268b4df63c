// Which QEMU wakes a machine: one of the version that it ran on.
#pragma once

#include <string>
#include <vector>

#include "libcore/archive/metadata.h"
#include "libcore/base/result.h"

namespace ktstr {

struct QemuChoice {
  std::vector<std::string> program;  // with what stands before its options; empty: the archive's
  std::string version;               // "7.2.22"
};

// The version of the QEMU of that name, such as "7.2.22", as it says itself. Errors: kIo when it
// cannot be started, kPeer when it says no version.
Result<std::string> VersionOfQemu(const std::vector<std::string>& program);

// Whether a machine of `was` ("QEMU 7.2.22", "7.2.22") can be woken on `is`: the first two numbers
// are the same, or those of `is` are higher.
enum class VersionMatch : uint8_t { kSame, kNewer, kOlder, kUnknown };
VersionMatch CompareQemuVersions(const std::string& was, const std::string& is);

// `wanted` is a program that the caller names, of the same version or a newer one. Empty: the
// archive's own, "qemu-system-x86_64", or one in the user's cache directory (fixtures/qemu/get.sh),
// whichever has the same version first. Errors: kUnsupported, naming those that there are, when
// none will do; those of VersionOfQemu for one that is wanted.
Result<QemuChoice> ChooseQemu(const ArchiveMetadata& metadata, const std::string& wanted);

}  // namespace ktstr

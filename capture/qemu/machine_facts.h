// What a machine is, as its QEMU says: what a command line leaves to QEMU's version and to the
// host.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "capture/qemu/qmp_client.h"
#include "libcore/base/result.h"

namespace ktstr {

struct MachineFacts {
  std::string type;  // with its version, never an alias: "pc-q35-7.2"
  // Of the first CPU, which is like the others: words of feature bits by the leaf, subleaf and
  // register of CPUID that they are shown in, as ArchiveMetadata has them. Empty where QEMU does
  // not tell.
  std::map<std::string, uint32_t> cpu_features;
};

// Does not stop the guest. Errors: as QmpClient::Execute.
Result<MachineFacts> AskMachineFacts(QmpClient& qmp);

}  // namespace ktstr

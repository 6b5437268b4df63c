// The frozen machine that a command is about, as words of the command line, and how it is opened.
#pragma once

#include <memory>
#include <string>

#include "libcore/base/result.h"
#include "libcore/cli/options.h"
#include "replay/frozen_machine.h"

namespace ktstr {

// Of these a command has the options that it declares.
struct FrozenArguments {
  std::string archive;
  KernelChoice kernel;
  bool accept_damage = false;
  std::string memory;  // as SnapshotMemoryOptions::OfSize reads it
};

void AddArchive(Options* command, std::string* archive);
// --vmlinux
void AddVmlinux(Options* command, FrozenArguments* arguments);
// --kernel-instance
void AddKernelInstance(Options* command, FrozenArguments* arguments);
// --accept-damage
void AddAcceptDamage(Options* command, FrozenArguments* arguments);
// --memory, which bounds the memory for decompressed pages.
void AddMemoryOption(Options* command, std::string* size);

// Where damage is accepted, metadata or registers may be lost: that is told on standard error, and
// `lost`, where it is not null, is true. Errors: kInvalidArgument for a size that is none; those of
// FrozenMachine::Open.
Result<std::unique_ptr<FrozenMachine>> OpenMachine(const FrozenArguments& arguments,
                                                   bool* lost = nullptr);

}  // namespace ktstr

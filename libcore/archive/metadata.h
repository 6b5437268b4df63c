// What an archive says about the machine and its capture, besides pages, registers and device
// state.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "libcore/base/derivation.h"

namespace ktstr {

struct ArchiveMetadata {
  // The machine.
  std::string arch = "x86_64";
  std::string vmm_version;                    // such as "QEMU 7.2.22"
  std::vector<std::string> vmm_command_line;  // whole, argument by argument: resuming needs it
  std::string accelerator;                    // "kvm" or "tcg"
  std::string vmm_machine;  // its type as the VMM itself names it, such as "pc-q35-7.2"
  // In which it stood, such as "running", "paused", "debug", "shutdown" (QEMU's run states).
  std::string run_state;
  // Whether it ran while its memory was read: pages are of different moments then, and structures
  // that lie in several of them may disagree (be torn) without being damaged.
  bool ran_while_read = false;
  // Of memory devices (virtio-mem): pages for which there is a place, but which the guest did not
  // have when it was frozen. They are in no memory region.
  uint64_t unplugged_pages = 0;
  // What CPUID tells the guest that the CPU can: a word of bits by leaf, subleaf where there are
  // several, and register: "1.edx", "7.0.ebx". Empty when that is not known.
  std::map<std::string, uint32_t> cpu_features;

  // The kernel, as its own memory tells.
  std::string kernel_release;
  std::string kernel_build_id;  // hexadecimal
  std::string kernel_cmdline;
  std::vector<Derivation> derivations;

  // The capture.
  int64_t captured_at_ns = 0;  // Unix time, UTC; 0: not known
  std::string captured_by;     // program and version, such as "ktstr-capture 0.1.0"
  std::string trigger;         // why: "manual", "panic", …
  std::string trigger_detail;  // the values that tripped it; may be empty
  std::string kept = "all";   // of the guest's memory: "all", or "kernel" (pages left out tell why)
  std::string parent_digest;  // the archive this one was derived from; empty for a capture
  std::map<std::string, std::string> tags;  // free-form

  friend bool operator==(const ArchiveMetadata&, const ArchiveMetadata&) = default;
};

}  // namespace ktstr

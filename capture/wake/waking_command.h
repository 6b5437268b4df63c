// The command line that wakes a machine, made of the one that it was started with: the same
// machine, with what was the host's (RAM files, sockets, terminals, descriptors) replaced by what
// is ours.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "capture/qemu/qemu_command.h"
#include "capture/wake/qemu_words.h"
#include "libcore/archive/metadata.h"
#include "libcore/base/result.h"

namespace ktstr {

// What the woken machine is reached by, besides the caller's own connection.
struct WakingPlaces {
  std::string qmp_socket;      // for others to attach to; empty: none
  std::string console_socket;  // the serial console; empty: none
  std::string gdb_socket;      // QEMU's gdb stub; empty: none
};

// Whose end of the ports to our init (guest/protocol.h) the guest's is connected to.
enum class WakingPorts : uint8_t {
  kOurs,    // QemuFiles::port and ops
  kNobody,  // what the guest sends is lost; it sees no difference
};

struct WakingRequest {
  std::string accelerator;  // "kvm" or "tcg"
  // The program with what stands before its options; empty: the archive's.
  std::vector<std::string> program;
  WakingPlaces places;
  WakingPorts ports = WakingPorts::kNobody;
  bool with_disks = false;  // as they are now, by private copies of what is written
};

class WakingCommand {
 public:
  // Errors: kUnsupported naming what of the machine cannot be woken (disks without with_disks, file
  // systems and devices of the host's), and an archive without a command line or machine type.
  static Result<WakingCommand> Make(const ArchiveMetadata& metadata, const WakingRequest& request);

  // The whole command line; QEMU then waits for the device state ("-S -incoming defer").
  std::vector<std::string> Words(const QemuFiles& files) const;

  // The machine's type, with its version.
  const std::string& machine_type() const { return type_; }
  // Whether our init is in the guest, and a port of the machine's leads to it.
  bool has_init() const;
  // What is not as it was, one sentence each, for a person.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  friend class CommandRewriter;

  QemuWords words_;
  WakingRequest request_;
  std::string type_;
  std::string console_id_;  // of the chardev that is the console; empty: there is no serial port
  // The chardevs of virtio-serial ports: those to our init by their names, others for /dev/null.
  std::vector<std::pair<std::string, std::string>> ports_;  // chardev, port's name
  std::vector<std::string> notes_;
};

// The type of machine that a command line asks for, as QEMU of that version ("QEMU 7.2.22") names
// it: "q35" of 7.2 is "pc-q35-7.2".
std::string VersionedMachineType(const std::string& type, const std::string& vmm_version);

}  // namespace ktstr

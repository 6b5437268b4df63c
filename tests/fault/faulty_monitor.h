// Stands between a client and the monitor of a real QEMU, passes on what they say and the files
// that come with it, and spoils one answer, by its number, in one of many ways.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <thread>
#include <vector>

#include "libcore/base/unique_fd.h"

namespace ktstr {

class FaultyMonitor {
 public:
  enum class Fault {
    kSilence,     // what was asked for is done, but nothing is said any more
    kEnd,         // it is done, and the connection is closed
    kRefusal,     // it is not done
    kNoise,       // something other than JSON
    kNumber,      // a value of a type that no command answers with
    kList,        // the same
    kEvents,      // one event after the other instead
    kLine,        // a line without an end
    kQemuHangs,   // QEMU is stopped (SIGSTOP) before it hears the question
    kQemuKilled,  // SIGKILL
  };
  static const char* NameOf(Fault fault);

  // Listens at `path`; QEMU, which is process `pid`, at `qemu`. Answer 0 is the greeting.
  FaultyMonitor(std::string path, std::string qemu, pid_t pid);
  ~FaultyMonitor();

  // From now on answer `number` of the next client is spoiled.
  void Arm(Fault fault, int number);
  // The command whose answer was spoiled ("the greeting" for 0); empty when none was.
  std::string spoiled() const;

 private:
  class Session;

  void Serve();

  const std::string path_, qemu_;
  const pid_t pid_;
  UniqueFd listener_;
  std::atomic<bool> ended_ = false;
  mutable std::mutex mutex_;  // guards what is below
  Fault fault_ = Fault::kSilence;
  int number_ = -1;  // -1: nothing is spoiled
  std::string spoiled_;
  std::thread thread_;
};

}  // namespace ktstr

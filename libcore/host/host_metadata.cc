#include "libcore/host/host_metadata.h"

#include <chrono>

namespace ktstr {

ArchiveMetadata HostMetadata(const std::string& read_by, std::string_view trigger) {
  ArchiveMetadata metadata;
  metadata.run_state = "running";
  metadata.ran_while_read = true;
  metadata.captured_at_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                std::chrono::system_clock::now().time_since_epoch())
                                .count();
  metadata.captured_by = read_by;
  metadata.trigger = trigger;
  return metadata;
}

}  // namespace ktstr

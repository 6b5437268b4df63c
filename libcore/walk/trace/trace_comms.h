// The names that tasks had when they were traced.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "libcore/walk/row/fields.h"

namespace ktstr {

// By what the kernel keeps for /sys/kernel/tracing/saved_cmdlines; of tasks that are not (any more)
// there, by the name that they have now.
class TraceComms {
 public:
  explicit TraceComms(const Walk& walk);
  // Nothing is read before this.
  void Read();

  std::optional<std::string> Of(int64_t pid);

 private:
  struct SavedMembers : Fields {
    explicit SavedMembers(const Walk& walk)
        : Fields(walk, Structure{"saved_cmdlines_buffer", "", true}) {}
    MaybeMember by_pid = Need("map_pid_to_cmdline"), pids = Need("map_cmdline_to_pid"),
                count = Need("cmdline_num"), names = Need("saved_cmdlines");
  };

  std::optional<std::string> Saved(int64_t pid);

  Walk walk_;
  SavedMembers saved_;
  std::optional<Kva> buffer_, pids_;
  uint64_t slots_ = 0, count_ = 0;
  std::map<int64_t, std::string> tasks_;
  std::map<int64_t, std::optional<std::string>> known_;
};

}  // namespace ktstr

// The pages and variables of BPF arenas.
#pragma once

#include <optional>
#include <vector>

#include "libcore/walk/bpf/arena.h"
#include "libcore/walk/bpf/arena_globals.h"
#include "libcore/walk/bpf/value_sink.h"

namespace ktstr {

class ArenaMaps {
 public:
  ArenaMaps(const Walk& walk, BpfObjectTypes& types)
      : walk_(walk), arenas_(walk), globals_(walk, types) {}

  // Appends the arena's pages, and puts its variables into the sink, whose map it is. How many
  // pages it has; nothing when that cannot be told.
  std::optional<int64_t> Read(const BpfMapShape& map, BpfValueSink& sink,
                              std::vector<BpfArenaPageRow>& pages);

 private:
  Walk walk_;
  BpfArenas arenas_;
  ArenaGlobals globals_;
};

}  // namespace ktstr

// Where the pages of one memory block are in a stream: what came last of each counts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace ktstr::vmcore {

class StreamPages {
 public:
  // Page `page` of the block is at `at` of the file, or, without, zero.
  void Put(uint64_t page, std::optional<uint64_t> at);

  struct Place {
    bool there = false;
    std::optional<uint64_t> at;  // in the file; nothing: it is zero
  };
  Place Find(uint64_t page) const;

 private:
  // Pages from the key up to `end`, one behind the other in the file, or all zero.
  struct Run {
    uint64_t end;
    std::optional<uint64_t> at;  // of the first
  };
  void Remove(uint64_t page);

  std::map<uint64_t, Run> runs_;
};

}  // namespace ktstr::vmcore

// VisitedNodes: which nodes of a container were seen. Most containers have a handful, some have ten
// thousand.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ktstr {

// A set of addresses: the first few side by side, more in a table with open addressing and linear
// probing, at most half of it used.
class VisitedNodes {
 public:
  size_t size() const { return size_; }
  bool contains(uint64_t node) const {
    if (table_.empty()) {
      for (size_t i = 0; i < size_; ++i) {
        if (few_[i] == node) return true;
      }
      return false;
    }
    return node == kNone ? has_none_ : table_[SlotOf(node)] == node;
  }
  // Whether it is a new one.
  bool insert(uint64_t node) {
    if (contains(node)) return false;
    if (table_.empty() && size_ < few_.size()) {
      few_[size_++] = node;
      return true;
    }
    if (2 * (size_ + 1) > table_.size()) Grow();
    Enter(node);
    ++size_;
    return true;
  }

 private:
  static constexpr uint64_t kNone = 0;  // an empty slot

  size_t SlotOf(uint64_t node) const {
    // Nodes of a container often differ in few bits: the product's upper ones depend on all.
    constexpr uint64_t kOddNumber = 0x9e3779b97f4a7c15;
    const size_t mask = table_.size() - 1;
    size_t slot = (node * kOddNumber) >> (64 - std::countr_zero(table_.size()));
    while (table_[slot] != kNone && table_[slot] != node) slot = (slot + 1) & mask;
    return slot;
  }
  void Enter(uint64_t node) {
    if (node == kNone) {
      has_none_ = true;
    } else {
      table_[SlotOf(node)] = node;
    }
  }
  void Grow() {
    constexpr size_t kFirst = 64;
    const std::vector<uint64_t> before = std::move(table_);
    table_.assign(before.empty() ? kFirst : 4 * before.size(), kNone);
    if (before.empty()) {
      for (size_t i = 0; i < size_; ++i) Enter(few_[i]);
    }
    for (const uint64_t node : before) {
      if (node != kNone) Enter(node);
    }
  }

  std::array<uint64_t, 8> few_;
  size_t size_ = 0;
  std::vector<uint64_t> table_;
  bool has_none_ = false;
};

}  // namespace ktstr

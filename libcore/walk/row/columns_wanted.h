// ColumnsWanted: which columns of a table somebody is going to look at.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace ktstr {

// What a walker need not do for the rows that it yields: columns that are not wanted may stay
// unknown in all of them, and what only those are made of need not be read.
class ColumnsWanted {
 public:
  // All of them.
  ColumnsWanted() = default;
  explicit ColumnsWanted(std::set<std::string, std::less<>> names)
      : all_(false), names_(std::move(names)) {}

  bool all() const { return all_; }
  bool Contains(std::string_view column) const { return all_ || names_.contains(column); }
  bool Contains(const ColumnsWanted& others) const {
    if (all_ || others.all_) return all_;
    for (const std::string& name : others.names_) {
      if (!names_.contains(name)) return false;
    }
    return true;
  }
  void Add(std::string_view column) { names_.emplace(column); }

 private:
  bool all_ = true;
  std::set<std::string, std::less<>> names_;
};

}  // namespace ktstr

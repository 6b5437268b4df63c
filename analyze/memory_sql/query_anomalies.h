// What the try_ functions of a connection could not read.
#pragma once

#include <vector>

#include "libcore/walk/row/anomaly.h"

namespace ktstr {

class QueryAnomalies {
 public:
  // Keeps the first thousand and counts the others.
  void Add(std::vector<AnomalyRow> rows) {
    for (AnomalyRow& row : rows) {
      if (rows_.size() < kKept) rows_.push_back(std::move(row));
      ++count_;
    }
  }

  const std::vector<AnomalyRow>& rows() const { return rows_; }
  uint64_t count() const { return count_; }

 private:
  static constexpr size_t kKept = 1000;
  std::vector<AnomalyRow> rows_;
  uint64_t count_ = 0;
};

}  // namespace ktstr

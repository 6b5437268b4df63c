// Anomalies: what a walker came upon and could not make sense of. They are rows too: a walker keeps
// what it found and says what is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/base/stop.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct AnomalyRow {
  std::string walker;  // "task", "cpu", "log", …
  std::string kind;    // "cycle", "cap", "unreadable", "no member", "no symbol", "damage", …
  std::optional<Hex> address;
  std::string detail;

  static const RowTable<AnomalyRow>& Table();
  friend bool operator==(const AnomalyRow&, const AnomalyRow&) = default;
};

// Whether the anomaly can come of a structure that changed while it was read: all but what is
// missing from the kernel or the machine itself, and where a walk was ended.
bool MayBeTorn(const AnomalyRow& anomaly);
size_t CountOfTearable(const std::vector<AnomalyRow>& anomalies);

// The anomalies of one walker: so many as anybody reads, and how many more there were.
class Anomalies {
 public:
  static constexpr size_t kMostRows = 100'000;

  explicit Anomalies(std::string_view walker) : walker_(walker) {}

  void Add(std::string kind, std::optional<Kva> address, std::string detail);
  // An error on the way; its code is the kind.
  void Add(const Error& error, std::optional<Kva> address, std::string_view doing);
  // A walk of `name` that ended before its end because it was asked to.
  void AddStopped(Kva at, std::string_view name);

  const std::vector<AnomalyRow>& rows() const { return rows_; }
  std::vector<AnomalyRow> Take() && { return std::move(rows_); }

 private:
  std::string walker_;
  std::vector<AnomalyRow> rows_;
  uint64_t left_out_ = 0;
};

// What is left of WalkLimits::max_all_nodes for one walk.
class WalkMeter {
 public:
  explicit WalkMeter(size_t nodes) : left_(nodes) {}

  // False when nothing is left.
  bool Take(size_t nodes = 1) {
    if (left_ < nodes) return false;
    left_ -= nodes;
    return true;
  }
  size_t left() const { return left_; }

 private:
  size_t left_;
};

// What a walker yields.
template <typename Row>
struct Walked {
  std::vector<Row> rows;
  std::vector<AnomalyRow> anomalies;
};

// How far a walker goes before it says "cap", and what else ends it.
struct WalkLimits {
  // Of one container.
  size_t max_nodes = size_t{4} << 20;  // PID_MAX_LIMIT, include/linux/threads.h
  // Of all its containers together, frames of stacks and values of maps included: a guest can have
  // each of a thousand lists lead to the same million nodes. It bounds the memory that rows take.
  size_t max_all_nodes = size_t{4} << 20;
  // A walk of one container ends where this is wanted, with an anomaly "stopped"; may be nullptr.
  const Stop* stop = nullptr;

  bool IsStopped() const { return stop != nullptr && stop->IsWanted(); }
};

}  // namespace ktstr

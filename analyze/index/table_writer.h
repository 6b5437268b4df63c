// Writes tables into a database on a thread of its own, so that the walkers make further tables in
// the meantime.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "analyze/index/database.h"

namespace ktstr {

class TableWriter {
 public:
  // Nobody else may use the database until Finish.
  explicit TableWriter(Database& database);
  ~TableWriter();  // what was not begun is not written
  TableWriter(const TableWriter&) = delete;
  TableWriter& operator=(const TableWriter&) = delete;

  // To be written after those before it. It must stay as it is until Finish.
  void Add(const TableData& table);
  // Waits for all of them. Errors: the first one of Database::AddTable; after it nothing is
  // written.
  Status Finish();

 private:
  void Run();

  Database& database_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<const TableData*> waiting_;
  bool over_ = false;       // no table comes any more
  bool abandoned_ = false;  // those that wait are not wanted
  Status status_;
  std::optional<std::jthread> thread_;  // without, Finish does it all
};

}  // namespace ktstr

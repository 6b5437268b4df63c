#include "analyze/index/table_writer.h"

#include "libcore/base/side_thread.h"

namespace ktstr {

TableWriter::TableWriter(Database& database)
    : database_(database), thread_(TryThread([this] { Run(); })) {}

TableWriter::~TableWriter() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  std::ignore = Finish();
}

void TableWriter::Add(const TableData& table) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(&table);
  }
  changed_.notify_one();
}

Status TableWriter::Finish() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_one();
  if (thread_) {
    thread_->join();
    thread_.reset();
  } else {
    Run();
  }
  return status_;
}

void TableWriter::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return over_ || !waiting_.empty(); });
    if (waiting_.empty() || abandoned_ || !status_) return;
    const TableData* table = waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    Status written = database_.AddTable(*table);
    lock.lock();
    status_ = std::move(written);
  }
}

}  // namespace ktstr

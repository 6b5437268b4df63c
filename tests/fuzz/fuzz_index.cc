// Proves: whatever stands where an archive's index is expected, asking the archive ends: the file
// is found to be none of ours and made anew, or its cells are taken for what they can be.
//
// Input: a byte that chooses. Odd: SQL that somebody ran on the index before. Even: changes of the
// file's bytes, each an offset (u32) and a byte.
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "analyze/index/index.h"
#include "analyze/text/folded_stacks.h"
#include "analyze/text/summary.h"
#include "fixtures/sample/temporary_directory.h"
#include "fuzz.h"
#include "replay/frozen_machine.h"

namespace ktstr::fuzz {
namespace {

namespace fs = std::filesystem;

class Target {
 public:
  Target() {
    // A real one: of the sample some pages are damaged, and no index of such an archive is kept.
    const char* state = std::getenv("KTSTR_FUZZ_STATE");
    Require(state != nullptr, "KTSTR_FUZZ_STATE names an archive");
    fs::copy_file(state, archive_);
    auto machine = FrozenMachine::Open(archive_);
    Require(machine.has_value(), "the sample can be opened");
    machine_ = *std::move(machine);
    Require(OpenIndex(*machine_, {}).has_value(), "the sample has an index");
    std::ifstream file(index_, std::ios::binary);
    good_.assign(std::istreambuf_iterator<char>(file), {});
    Require(!good_.empty(), "the index stands beside the archive");
  }

  void Run(const uint8_t* data, size_t size) {
    Write(good_);
    if (data[0] % 2 != 0) {
      RunSql(std::string(AsText(data + 1, size - 1)));
    } else {
      Change({data + 1, size - 1});
    }
    const auto index = OpenIndex(*machine_, {});
    if (!index) return;
    for (const char* table : {"task", "stack_frame", "finding", "log_text", "cpu_now", "machine"}) {
      (void)index->Query(std::string("SELECT * FROM ") + table, {.timeout_s = 1, .max_rows = 1000});
    }
    (void)SummaryText(*index, "a.kts", 100);
    (void)SummaryJson(*index);
    (void)FoldedStackText(*index);
  }

 private:
  void Write(const std::string& bytes) {
    std::ofstream(index_, std::ios::binary | std::ios::trunc) << bytes;
  }
  void Change(std::span<const uint8_t> changes) {
    std::string bytes = good_;
    for (; changes.size() >= 5; changes = changes.subspan(5)) {
      uint32_t at;
      std::memcpy(&at, changes.data(), sizeof at);
      bytes[at % bytes.size()] = char(changes[4]);
    }
    Write(bytes);
  }
  void RunSql(const std::string& sql) {
    sqlite3* db = nullptr;
    if (sqlite3_open(index_.c_str(), &db) == SQLITE_OK) {
      sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
      sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
      int left = 100;
      sqlite3_progress_handler(
          db, 1000, [](void* n) { return --*static_cast<int*>(n) < 0 ? 1 : 0; }, &left);
      sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
    }
    sqlite3_close(db);
  }

  synthetic::TemporaryDirectory directory_;
  fs::path archive_ = directory_ / "a.kts";
  fs::path index_ = directory_ / "a.kts.index";
  std::unique_ptr<FrozenMachine> machine_;
  std::string good_;
};

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static ktstr::fuzz::Target target;
  if (size < 2) return 0;
  target.Run(data, size);
  return 0;
}

#include "ktstr/analyze/index.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdlib>
#include <future>
#include <system_error>

#include "ktstr/analyze/findings/findings.h"
#include "ktstr/analyze/log_search.h"
#include "ktstr/analyze/tables.h"
#include "ktstr/analyze/temporary_file.h"
#include "ktstr/analyze/views/views.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

// To be raised when the same archive gives other rows than before.
constexpr int kRowsVersion = 3;

fs::path CacheDirectory() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return fs::path(cache) / "ktstr" / "index";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return fs::path(home) / ".cache" / "ktstr" / "index";
  }
  return {};
}

std::optional<Database> OpenIfItFits(const fs::path& path, const std::string& digest) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return std::nullopt;
  auto database = Database::Open(path, Database::Mode::kReadOnly);
  if (!database) return std::nullopt;
  const auto key = database->Query("SELECT digest, schema FROM index_key");
  if (!key || key->rows.size() != 1) return std::nullopt;
  if (key->rows[0][0] != Value(digest) || key->rows[0][1] != Value(SchemaKey()))
    return std::nullopt;
  return *std::move(database);
}

// Of writing tables, and what comes of them, in the same unit as kTableSteps.
constexpr uint64_t kWriteSteps = 40, kRestSteps = 10;

// A table counts by its rows.
Status WriteTables(Database& database, const Tables& tables, ProgressSteps& steps) {
  uint64_t rows = 0, written = 0;
  for (const auto& table : tables) rows += table->row_count();
  for (const auto& table : tables) {
    KTSTR_TRY(database.AddTable(*table));
    const uint64_t before = written;
    written += table->row_count();
    if (rows != 0) steps.Done(written * kWriteSteps / rows - before * kWriteSteps / rows);
  }
  return {};
}

Status Fill(Database& database, const Tables& tables, const std::string& digest,
            ProgressSteps& steps) {
  KTSTR_TRY(database.Execute("BEGIN"));
  KTSTR_TRY(WriteTables(database, tables, steps));
  KTSTR_TRY(
      database.Execute("CREATE INDEX task_by_pid ON task (pid);"
                       "CREATE INDEX task_by_kva ON task (task_kva);"
                       "CREATE INDEX stack_frame_by_task ON stack_frame (task_kva, depth)"));
  KTSTR_TRY(AddLogSearch(database));
  KTSTR_TRY(AddViews(database));
  KTSTR_TRY(AddFindings(database));
  KTSTR_TRY(
      database.Execute(fmt::format("CREATE TABLE index_key (digest TEXT, schema TEXT);"
                                   "INSERT INTO index_key VALUES ('{}', '{}'); COMMIT",
                                   digest, SchemaKey())));
  steps.Done(kRestSteps);
  return {};
}

// Another process never sees half an index.
Status BuildAt(const fs::path& path, const Tables& tables, const std::string& digest,
               ProgressSteps& steps) {
  TemporaryFile temporary(path);
  {
    Database database = KTSTR_TRY(Database::Open(temporary.path(), Database::Mode::kCreate));
    KTSTR_TRY(database.Execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF"));
    KTSTR_TRY(Fill(database, tables, digest, steps));
  }
  return temporary.Keep();
}

Status CheckFrames(const ArchiveReader& archive) {
  const std::vector<uint64_t> damaged = KTSTR_TRY(archive.FindDamagedFrames(/*threads=*/1));
  if (damaged.empty()) return {};
  return Fail(
      ErrorCode::kDamaged,
      fmt::format("{} is damaged: {} of its {} memory frames, the first is frame {}; "
                  "--accept-damage shows what can still be read",
                  archive.path().string(), damaged.size(), archive.frame_count(), damaged.front()));
}

}  // namespace

std::string SchemaKey() {
  std::string declarations = fmt::format("{};", kRowsVersion);
  for (const TableInfo* table : AllTableInfos()) {
    declarations += fmt::format("{}(", table->name);
    for (const ColumnInfo& column : table->columns) {
      declarations += fmt::format("{}:{},", column.name, static_cast<int>(column.type));
    }
  }
  for (const FindingRule& rule : FindingRules()) declarations += rule.text;
  declarations += LogSearchTable().name;
  for (const View& view : Views()) declarations += view.text;
  return fmt::format("{:016x}", XXH3_64bits(declarations.data(), declarations.size()));
}

std::vector<fs::path> IndexPaths(const fs::path& archive, const std::string& digest) {
  std::vector<fs::path> paths = {fs::path(archive.string() + ".index")};
  if (const fs::path cache = CacheDirectory(); !cache.empty()) paths.push_back(cache / digest);
  return paths;
}

Result<Database> OpenIndex(const fs::path& path, const IndexOptions& options) {
  const auto machine = KTSTR_TRY(FrozenMachine::Open(path));
  return OpenIndex(*machine, options);
}

Result<Database> OpenIndex(FrozenMachine& machine, const IndexOptions& options) {
  const fs::path& path = machine.archive().path();
  const std::string& digest = machine.archive().digest();
  const bool use_file = options.use_file && !options.accept_damage && options.vmlinux.empty();
  if (use_file) {
    for (const fs::path& candidate : IndexPaths(path, digest)) {
      if (auto database = OpenIfItFits(candidate, digest)) return *std::move(database);
    }
  }
  ProgressSteps steps(options.progress, kTableSteps + kWriteSteps + kRestSteps);
  steps.Done(0);
  // Beside the walkers: they read few of the frames, the check reads all.
  std::future<Status> check =
      std::async(std::launch::async, [&] { return CheckFrames(machine.archive()); });
  const Tables tables = BuildTables(machine, options.vmlinux, &steps);
  const Status intact = check.get();
  if (!intact && !options.accept_damage) return Fail(intact.error());
  if (use_file) {
    for (const fs::path& candidate : IndexPaths(path, digest)) {
      std::error_code ignored;
      if (candidate.parent_path() == CacheDirectory())
        fs::create_directories(CacheDirectory(), ignored);
      if (!BuildAt(candidate, tables, digest, steps)) continue;
      if (auto database = OpenIfItFits(candidate, digest)) return *std::move(database);
    }
  }
  Database database = KTSTR_TRY(Database::InMemory());
  KTSTR_TRY(Fill(database, tables, digest, steps));
  return database;
}

}  // namespace ktstr

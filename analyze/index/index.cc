#include "analyze/index/index.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <filesystem>
#include <future>
#include <optional>
#include <span>
#include <system_error>

#include "analyze/findings/findings.h"
#include "analyze/index/log_search.h"
#include "analyze/index/own_schema.h"
#include "analyze/index/seal.h"
#include "analyze/index/table_writer.h"
#include "analyze/index/tables.h"
#include "analyze/views/views.h"
#include "libcore/base/cache_directory.h"
#include "libcore/base/private_directory.h"
#include "libcore/base/side_thread.h"
#include "libcore/base/temporary_file.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

// The sources that the rows of an index come from, as a checksum.
constexpr char kRowsKey[] =
#include "rows_key.inc"
    ;

// Where indexes are that cannot stand beside their archives; empty when there is no such place.
fs::path CacheDirectory() {
  const std::string cache = UserCacheDirectory();
  return cache.empty() ? fs::path() : fs::path(cache) / "index";
}

std::optional<Database> OpenIfItFits(const fs::path& path, const std::string& digest) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) || !SealHolds(path)) return std::nullopt;
  auto database = Database::Open(path, Database::Mode::kReadOnly);
  if (!database || !HasOurSchema(*database)) return std::nullopt;
  const auto key = database->Query("SELECT digest, schema FROM index_key");
  if (!key || key->rows.size() != 1) return std::nullopt;
  if (key->rows[0][0] != Value(digest) || key->rows[0][1] != Value(SchemaKey()))
    return std::nullopt;
  return *std::move(database);
}

// The archive's own name, beside which its index can stand: the system's ways to an open file
// (/dev/stdin, /proc/PID/fd/N) are none. Nothing when the file has no name.
std::optional<std::string> FileOf(const std::string& archive) {
  std::error_code error;
  const auto is_way = [](const fs::path& path) {
    const std::string text = path.lexically_normal().string();
    return text.starts_with("/proc/") || (text.starts_with("/dev/") && fs::is_symlink(text));
  };
  const fs::path path = fs::absolute(archive, error);
  if (error || !is_way(path)) return archive;
  const fs::path file = fs::canonical(path, error);
  if (error || is_way(file)) return std::nullopt;
  return file.string();
}

// Of writing tables, and what comes of them, in the same unit as kTableSteps.
constexpr uint64_t kWriteSteps = 40, kRestSteps = 10;

// An index in the making. Another process never sees half of one.
class NewIndex {
 public:
  // Errors: kIo when there can be no file.
  static Result<NewIndex> At(const fs::path& path) {
    TemporaryFile temporary = KTSTR_TRY(TemporaryFile::Beside(path));
    Database database = KTSTR_TRY(Database::Open(temporary.path(), Database::Mode::kCreate));
    KTSTR_TRY(database.Execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF"));
    return Begin(std::move(temporary), std::move(database));
  }
  static Result<NewIndex> InMemory() {
    return Begin(std::nullopt, KTSTR_TRY(Database::InMemory()));
  }

  Database& database() { return *database_; }

  // Once all tables are in it: adds what is made of them, and the key. Errors: kIo.
  Result<Database> Finish(const std::string& digest) && {
    for (const TableIndex& index : kTableIndexes) KTSTR_TRY(database_->Execute(index.statement));
    KTSTR_TRY(AddLogSearch(*database_));
    KTSTR_TRY(AddViews(*database_));
    KTSTR_TRY(AddFindings(*database_));
    KTSTR_TRY(database_->Execute(
        fmt::format("INSERT INTO index_key VALUES ('{}', '{}'); COMMIT", digest, SchemaKey())));
    if (!file_) return *std::move(database_);
    database_.reset();
    KTSTR_TRY(SealIndex(file_->path()));
    KTSTR_TRY(file_->Keep());
    return Database::Open(file_->final_path(), Database::Mode::kReadOnly);
  }

 private:
  NewIndex(std::optional<TemporaryFile> file, Database database)
      : file_(std::move(file)), database_(std::move(database)) {}

  static Result<NewIndex> Begin(std::optional<TemporaryFile> file, Database database) {
    // The first write finds out whether the file can be there.
    KTSTR_TRY(database.Execute(fmt::format("BEGIN; {}", kIndexKeyTable)));
    return NewIndex(std::move(file), std::move(database));
  }

  std::optional<TemporaryFile> file_;  // none in memory
  std::optional<Database> database_;   // closed before the file is removed
};

// An empty path stands for memory.
Result<NewIndex> MakeAt(const fs::path& path) {
  if (path.empty()) return NewIndex::InMemory();
  const fs::path cache = CacheDirectory();
  if (path.parent_path() == cache) KTSTR_TRY(MakePrivateDirectories(cache));
  return NewIndex::At(path);
}

Status CheckIntact(const ArchiveReader& archive) {
  if (!archive.lost().empty()) {
    return Fail(ErrorCode::kDamaged, fmt::format("{} is damaged: {}", archive.path(),
                                                 archive.lost().front().error.message()));
  }
  const std::vector<uint64_t> damaged = KTSTR_TRY(archive.FindDamagedFrames(/*threads=*/1));
  if (damaged.empty()) return {};
  return Fail(ErrorCode::kDamaged,
              fmt::format("{} is damaged: {} of its {} memory frames, the first is frame {}",
                          archive.path(), damaged.size(), archive.frame_count(), damaged.front()));
}

// Of an archive that is whole, but was made of something that was not.
Status LostPages(const ArchiveReader& archive) {
  return Fail(
      ErrorCode::kDamaged,
      fmt::format("{} has pages that were damaged already when it was written", archive.path()));
}

}  // namespace

Error WhatIsDamaged(const ArchiveReader& archive) {
  const Status intact = CheckIntact(archive);
  return intact ? LostPages(archive).error() : intact.error();
}

namespace {

// At the first place that takes it; the last one is memory.
Result<Database> Build(FrozenMachine& machine, std::span<const std::string> places,
                       const IndexOptions& options) {
  ProgressSteps steps(options.progress, kTableSteps + kWriteSteps + kRestSteps);
  steps.Done(0);
  // Beside the walkers: they read few of the frames, the check reads all.
  std::future<Status> check = Beside([&] { return CheckIntact(machine.archive()); });
  BuiltTables built;
  std::optional<Error> last;
  bool is_damaged = false;
  for (const std::string& place : places) {
    if (is_damaged && !place.empty()) continue;
    auto index = MakeAt(place);
    if (!index) {
      last = index.error();
      continue;
    }
    TableWriter writer(index->database());
    if (built.tables.empty()) {
      // Walkers go on while tables are written.
      built = BuildTables(machine, options.kernel, &steps,
                          [&writer](const TableData& table) { writer.Add(table); });
      Status intact = check.get();
      if (intact && !built.incomplete.empty()) intact = LostPages(machine.archive());
      is_damaged = !intact;
      if (is_damaged && options.damage != nullptr) *options.damage = intact.error();
      if (is_damaged && !options.accept_damage) return Fail(intact.error());
      if (is_damaged && !place.empty()) continue;
    } else {
      for (const auto& table : built.tables) writer.Add(*table);
    }
    if (const Status written = writer.Finish(); !written) {
      last = written.error();
      continue;
    }
    steps.Done(kWriteSteps);
    auto database = (*std::move(index)).Finish(machine.archive().digest());
    if (database) {
      for (const std::string& table : built.incomplete) database->MarkIncomplete(table);
      std::ignore = database->TakeIncompleteRead();  // what findings were made of
      steps.Done(kRestSteps);
      return database;
    }
    last = database.error();
  }
  return Fail(*std::move(last));
}

}  // namespace

std::string SchemaKey() {
  std::string declarations = fmt::format("{};", kRowsKey);
  for (const TableInfo* table : AllTableInfos()) {
    declarations += fmt::format("{}(", table->name);
    for (const ColumnInfo& column : table->columns) {
      declarations.append(column.name).append(":");
      declarations.append(std::to_string(static_cast<int>(column.type))).append(",");
    }
  }
  for (const FindingRule& rule : FindingRules()) declarations += rule.text;
  declarations += LogSearchTable().name;
  for (const View& view : Views()) declarations += view.text;
  return fmt::format("{:016x}", XXH3_64bits(declarations.data(), declarations.size()));
}

std::vector<std::string> IndexPaths(const std::string& archive, const std::string& digest) {
  std::vector<std::string> paths;
  if (const auto file = FileOf(archive)) paths.push_back(*file + ".index");
  if (const fs::path cache = CacheDirectory(); !cache.empty())
    paths.push_back((cache / digest).string());
  return paths;
}

Result<Database> OpenIndex(const std::string& path, const IndexOptions& options) {
  const auto machine =
      KTSTR_TRY(FrozenMachine::Open(path, FrozenMachine::Damage::kRefuse, options.memory));
  return OpenIndex(*machine, options);
}

Result<Database> OpenIndex(FrozenMachine& machine, const IndexOptions& options) {
  const std::string& path = machine.archive().path();
  const std::string& digest = machine.archive().digest();
  const bool use_file =
      options.use_file && options.kernel.vmlinux.empty() && options.kernel.instance == 1;
  if (use_file) {
    for (const std::string& candidate : IndexPaths(path, digest)) {
      if (auto database = OpenIfItFits(candidate, digest)) return *std::move(database);
    }
  }
  std::vector<std::string> places;
  if (use_file) places = IndexPaths(path, digest);
  places.emplace_back();  // memory
  return Build(machine, places, options);
}

}  // namespace ktstr

#include "analyze/corpus/merged.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "analyze/corpus/copy_into.h"
#include "analyze/index/cells.h"
#include "analyze/index/index.h"
#include "analyze/index/log_search.h"
#include "analyze/index/seal.h"
#include "analyze/index/sql_functions.h"
#include "analyze/index/tables.h"
#include "analyze/views/views.h"
#include "libcore/base/temporary_file.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

// To be raised when the same indexes are merged in another way.
constexpr int kMergeVersion = 1;

std::string Key() { return fmt::format("{}:{}", kMergeVersion, SchemaKey()); }

// What is there already: name by digest. Nothing when the file has another key.
std::map<std::string, std::string> Merged(const fs::path& path) {
  std::error_code ignored;
  std::map<std::string, std::string> names;
  if (!fs::is_regular_file(path, ignored) || !SealHolds(path)) return names;
  const auto database = Database::Open(path, Database::Mode::kReadOnly);
  if (!database) return names;
  const auto key = database->Query("SELECT key FROM merge_key");
  if (!key || key->rows.size() != 1 || key->rows[0][0] != Value(Key())) return names;
  const auto archives = database->Query("SELECT digest, name FROM archive");
  if (!archives) return names;
  for (const auto& row : archives->rows) names[TextOf(row[0])] = TextOf(row[1]);
  return names;
}

// All tables and views that an index has, with their columns.
Result<std::map<std::string, std::vector<std::string>>> Sources(const Database& index,
                                                                const std::string& schema) {
  const QueryResult rows = KTSTR_TRY(index.Query(fmt::format(
      "SELECT m.name, c.name FROM {0}.sqlite_schema m, pragma_table_info(m.name, '{0}') "
      "c WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'log_text%' AND m.name "
      "NOT LIKE 'sqlite_%' AND m.name != 'index_key' ORDER BY m.name, c.cid",
      schema)));
  std::map<std::string, std::vector<std::string>> sources;
  for (const auto& row : rows.rows) sources[TextOf(row[0])].push_back(TextOf(row[1]));
  return sources;
}

Status CreateTables(Database& merged, const Database& index) {
  std::string sql = fmt::format(
      "CREATE TABLE merge_key (key TEXT); INSERT INTO merge_key VALUES ('{}');"
      "CREATE TABLE archive (name TEXT, digest TEXT, tags TEXT, added_at TEXT);"
      "CREATE VIRTUAL TABLE log_text USING fts5(archive UNINDEXED, seq UNINDEXED, time_ns "
      "UNINDEXED, "
      "level UNINDEXED, text);",
      Key());
  for (const auto& [name, columns] : KTSTR_TRY(Sources(index, "main"))) {
    sql += fmt::format("CREATE TABLE \"{}\" (archive TEXT, \"{}\");", name,
                       fmt::join(columns, "\", \""));
    sql += fmt::format("CREATE INDEX \"{0}_by_archive\" ON \"{0}\" (archive);", name);
  }
  return merged.Execute(sql);
}

Status RemoveArchive(Database& merged, const std::string& name) {
  std::string sql;
  for (const auto& [table, columns] : KTSTR_TRY(Sources(merged, "main"))) {
    if (table == "merge_key" || table == "archive") continue;
    sql += fmt::format("DELETE FROM \"{}\" WHERE archive = {};", table, Quoted(name));
  }
  sql +=
      fmt::format("DELETE FROM log_text WHERE archive = {0}; DELETE FROM archive WHERE name = {0}",
                  Quoted(name));
  return merged.Execute(sql);
}

std::string FileOf(const Database& index) {
  const char* name = sqlite3_db_filename(index.handle(), "main");
  return name == nullptr ? "" : name;
}

Status AddArchive(Database& merged, const CorpusEntry& entry, Database& index,
                  const fs::path& spare) {
  // An index that could be kept nowhere is only in memory.
  std::string file = FileOf(index);
  if (file.empty()) {
    KTSTR_TRY(index.CopyTo(spare));
    file = spare.string();
  }
  const std::string name = Quoted(entry.name);
  KTSTR_TRY(merged.Execute(fmt::format("ATTACH {} AS one", Quoted(file))));
  std::string sql = "BEGIN;";
  for (const auto& [table, columns] : KTSTR_TRY(Sources(merged, "one"))) {
    const std::string list = fmt::format("\"{}\"", fmt::join(columns, "\", \""));
    sql += fmt::format("INSERT INTO main.\"{0}\" (archive, {1}) SELECT {2}, {1} FROM one.\"{0}\";",
                       table, list, name);
  }
  sql += fmt::format(
      "INSERT INTO log_text SELECT {0}, seq, time_ns, level, text FROM one.log;"
      "INSERT INTO archive VALUES ({0}, {1}, {2}, {3}); COMMIT; DETACH one",
      name, Quoted(entry.digest), Quoted(fmt::format("{}", fmt::join(entry.tags, " "))),
      Quoted(entry.added_at));
  const Status added = merged.Execute(sql);
  std::error_code ignored;
  fs::remove(spare, ignored);
  return added;
}

// The file in the making: a copy that takes the old one's place, since another process may be
// reading that. Begun where there is something to write.
class Merging {
 public:
  // `old` is copied, where it is not empty.
  static Result<Merging> Begin(const fs::path& path, const fs::path& old) {
    TemporaryFile spare = KTSTR_TRY(TemporaryFile::Beside(path.parent_path() / "spare.index"));
    TemporaryFile temporary = KTSTR_TRY(TemporaryFile::Beside(path));
    if (!old.empty()) KTSTR_TRY(CopyInto(old, temporary));
    Database merged = KTSTR_TRY(Database::Open(temporary.path(), Database::Mode::kCreate));
    KTSTR_TRY(merged.Execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF"));
    return Merging(std::move(spare), std::move(temporary), std::move(merged), !old.empty());
  }

  Status Remove(const std::string& name) { return RemoveArchive(*merged_, name); }
  Status Add(const CorpusEntry& entry, Database& index) {
    if (!created_) KTSTR_TRY(CreateTables(*merged_, index));
    created_ = true;
    return AddArchive(*merged_, entry, index, spare_.path());
  }
  Status Keep() {
    merged_.reset();
    KTSTR_TRY(SealIndex(temporary_.path()));
    return temporary_.Keep();
  }

 private:
  Merging(TemporaryFile spare, TemporaryFile temporary, Database merged, bool created)
      : spare_(std::move(spare)),
        temporary_(std::move(temporary)),
        merged_(std::move(merged)),
        created_(created) {}

  TemporaryFile spare_, temporary_;
  std::optional<Database> merged_;
  bool created_;
};

}  // namespace

Result<MergedIndex> OpenMerged(const Corpus& corpus, const CorpusWork& work,
                               const std::function<void(size_t done, size_t all)>& progress) {
  if (corpus.entries().empty()) return Fail(ErrorCode::kNotFound, "the corpus is empty");
  const fs::path path = corpus.directory() / "merged.index";
  std::map<std::string, std::string> gone = Merged(path);
  std::vector<CorpusEntry> missing;
  for (const CorpusEntry& entry : corpus.entries()) {
    const auto found = gone.find(entry.digest);
    if (found != gone.end() && found->second == entry.name) {
      gone.erase(found);
    } else {
      missing.push_back(entry);
    }
  }
  const fs::path old = missing.size() < corpus.entries().size() ? path : fs::path();
  std::optional<Merging> merging;
  const auto begin = [&]() -> Status {
    if (merging) return {};
    merging.emplace(KTSTR_TRY(Merging::Begin(path, old)));
    if (old.empty()) return {};
    for (const auto& [digest, name] : gone) KTSTR_TRY(merging->Remove(name));
    return {};
  };
  if (!gone.empty() && !old.empty()) KTSTR_TRY(begin());
  // Indexes are built side by side and merged one after the other.
  ArchiveFailures failures;
  KTSTR_TRY(ForEachInOrder<Result<Database>>(
      missing.size(), work,
      [&](size_t i) {
        return OpenIndex(corpus.ArchiveOf(missing[i]), {.memory = work.memory_of_each()});
      },
      [&](size_t i, Result<Database> index) -> Status {
        if (progress) progress(i + 1, missing.size());
        if (!index) return failures.Add(missing[i].name, index.error());
        KTSTR_TRY(begin());
        return merging->Add(missing[i], *index);
      }));
  if (failures.size() == corpus.entries().size()) return Fail(failures.first());
  if (merging) KTSTR_TRY(merging->Keep());
  return MergedIndex{KTSTR_TRY(Database::Open(path, Database::Mode::kReadOnly)),
                     std::move(failures)};
}

}  // namespace ktstr

#include "libcore/walk/wait/open_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "libcore/walk/members/task.h"
#include "libcore/walk/task/task_list.h"

namespace ktstr {

namespace {

// How many pointers to files are read at a time: those of one page at most.
constexpr size_t kChunk = kPageSize / sizeof(uint64_t);

struct TaskFilesMembers : Fields {
  explicit TaskFilesMembers(const Walk& walk) : Fields(walk, kTaskStruct) {}
  MaybeMember tgid = Need(task_member::kTgid), files = Need("files");
};

struct FilesMembers : Fields {
  explicit FilesMembers(const Walk& walk) : Fields(walk, "files_struct") {}
  MaybeMember table = Need("fdt");
};

struct FdTableMembers : Fields {
  explicit FdTableMembers(const Walk& walk) : Fields(walk, "fdtable") {}
  MaybeMember size = Need("max_fds"), slots = Need("fd");
};

struct FileMembers : Fields {
  explicit FileMembers(const Walk& walk) : Fields(walk, "file") {}
  MaybeMember mode = Need("f_mode"), object = Need("private_data");
};

// The table of files of a process (struct files_struct), and what of it is open on such an object.
class FileTables {
 public:
  FileTables(const Walk& walk, std::unordered_set<uint64_t> objects)
      : walk_(walk), objects_(std::move(objects)) {}

  std::vector<OpenFile> FilesOf(Kva files) {
    CellReader object(walk_, files, "a process' files");
    const auto table = object.Pointer(files_of_.table);
    if (!table) return {};
    CellReader fields(walk_, *table, "a table of open files");
    const auto size = fields.Unsigned(fdt_.size);
    const auto slots = fields.Pointer(fdt_.slots);
    if (!size || !slots) return {};
    if (*size > walk_.limits.max_nodes) {
      walk_.anomalies.Add("cap", *table,
                          fmt::format("a table of {} open files, of which the first {} "
                                      "are read",
                                      *size, walk_.limits.max_nodes));
    }
    return FilesIn(files, *slots, std::min<uint64_t>(*size, walk_.limits.max_nodes));
  }

 private:
  std::vector<OpenFile> FilesIn(Kva table, Kva slots, uint64_t size) {
    std::vector<OpenFile> found;
    std::array<uint64_t, kChunk> files;
    for (uint64_t fd = 0; fd < size; fd += kChunk) {
      if (!walk_.meter->Take()) {
        walk_.anomalies.Add("cap", slots, fmt::format("open files: stopped at number {}", fd));
        break;
      }
      const auto chunk = std::span(files).first(std::min<uint64_t>(kChunk, size - fd));
      const Kva at = slots + fd * sizeof(uint64_t);
      if (const Status read = walk_.kernel.Read(at, std::as_writable_bytes(chunk)); !read) {
        walk_.anomalies.Add(read.error(), at, "reading a table of open files");
        break;
      }
      for (size_t i = 0; i < chunk.size(); ++i) {
        if (chunk[i] == 0) continue;
        const File& file = FileAt(Kva(chunk[i]));
        if (file.object.is_null()) continue;
        found.push_back({std::nullopt, static_cast<int64_t>(fd + i), Kva(chunk[i]), file.object,
                         table, file.mode});
      }
    }
    return found;
  }

  struct File {
    Kva object;  // null: none that is looked for
    uint64_t mode = 0;
  };
  // Processes inherit files from each other: each is read once.
  const File& FileAt(Kva kva) {
    const auto [known, is_new] = files_.try_emplace(kva.value());
    if (!is_new) return known->second;
    CellReader file(walk_, kva, "an open file");
    const auto object = file.Pointer(file_.object);
    if (!object || !objects_.contains(object->value())) return known->second;
    const uint64_t mode = file.Unsigned(file_.mode).value_or(0) & (kModeRead | kModeWrite);
    known->second = {*object, mode};
    return known->second;
  }

  Walk walk_;
  FilesMembers files_of_{walk_};
  FdTableMembers fdt_{walk_};
  FileMembers file_{walk_};
  std::unordered_set<uint64_t> objects_;
  std::unordered_map<uint64_t, File> files_;
};

}  // namespace

Result<std::vector<OpenFile>> ListOpenFiles(const Walk& walk,
                                            std::unordered_set<uint64_t> objects) {
  std::vector<OpenFile> all;
  // What is damaged in the lists of tasks is told by who walks them for their own sake.
  Anomalies of_lists("");
  const std::vector<TaskRef> tasks = KTSTR_TRY(ListTasks(walk.NotingIn(of_lists)));
  const TaskFilesMembers members(walk);
  FileTables tables(walk, std::move(objects));
  std::unordered_map<uint64_t, std::vector<OpenFile>> known;
  std::set<std::pair<uint64_t, int64_t>> told;  // which process has which table
  for (const TaskRef& ref : tasks) {
    if (ref.idle_cpu) continue;
    CellReader task(walk, ref.task, "a task");
    const auto table = task.Pointer(members.files);
    if (!table || table->is_null()) continue;
    const auto pid = task.Integer(members.tgid);
    if (!told.emplace(table->value(), pid.value_or(-1)).second) continue;
    const auto [open, is_new] = known.try_emplace(table->value());
    if (is_new) open->second = tables.FilesOf(*table);
    for (OpenFile file : open->second) {
      file.pid = pid;
      all.push_back(file);
    }
  }
  return all;
}

}  // namespace ktstr

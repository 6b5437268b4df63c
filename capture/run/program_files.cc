#include "capture/run/program_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "capture/system/system_error.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

struct ElfNeeds {
  std::string interpreter;             // of a program that is linked dynamically
  std::vector<std::string> libraries;  // DT_NEEDED
  std::vector<fs::path> run_paths;     // DT_RUNPATH and DT_RPATH, $ORIGIN resolved
};

std::vector<std::string> SplitAt(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    if (end > at) parts.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

void AddRunPaths(std::string_view text, const fs::path& origin, ElfNeeds* needs) {
  for (std::string path : SplitAt(text, ':')) {
    for (const std::string_view variable : {"$ORIGIN", "${ORIGIN}"}) {
      const size_t at = path.find(variable);
      if (at != std::string::npos) path.replace(at, variable.size(), origin.string());
    }
    needs->run_paths.emplace_back(path);
  }
}

void ReadDynamic(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, const fs::path& origin,
                 ElfNeeds* needs) {
  Elf_Data* data = elf_getdata(section, nullptr);
  for (size_t i = 0; data != nullptr && i < header.sh_size / std::max<size_t>(header.sh_entsize, 1);
       ++i) {
    GElf_Dyn entry;
    if (gelf_getdyn(data, static_cast<int>(i), &entry) == nullptr) break;
    const char* text = elf_strptr(elf, header.sh_link, entry.d_un.d_val);
    if (text == nullptr) continue;
    if (entry.d_tag == DT_NEEDED) needs->libraries.emplace_back(text);
    if (entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH) AddRunPaths(text, origin, needs);
  }
}

// `origin` is the directory that it is in, as the loader sees it.
Result<ElfNeeds> ReadElfNeeds(const fs::path& file, const fs::path& origin) {
  const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(fmt::format("reading '{}'", file.string()));
  elf_version(EV_CURRENT);
  const std::unique_ptr<Elf, int (*)(Elf*)> elf(elf_begin(fd.get(), ELF_C_READ, nullptr), elf_end);
  if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF ||
      gelf_getclass(elf.get()) != ELFCLASS64) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("'{}' is neither a 64-bit ELF file nor a script", file.string()));
  }
  ElfNeeds needs;
  size_t segments = 0;
  elf_getphdrnum(elf.get(), &segments);
  for (size_t i = 0; i < segments; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf.get(), static_cast<int>(i), &segment) == nullptr) continue;
    if (segment.p_type != PT_INTERP) continue;
    std::string path(segment.p_filesz, 0);
    if (pread(fd.get(), path.data(), path.size(), off_t(segment.p_offset)) > 0) {
      needs.interpreter = path.c_str();
    }
  }
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf.get(), section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) != nullptr && header.sh_type == SHT_DYNAMIC) {
      ReadDynamic(elf.get(), section, header, origin, &needs);
    }
  }
  return needs;
}

// Where the loader looks besides run paths (ld.so(8)); a guest has no ld.so.cache.
const std::vector<fs::path>& SystemPaths() {
  static const std::vector<fs::path> paths = {"/lib/x86_64-linux-gnu",
                                              "/usr/lib/x86_64-linux-gnu",
                                              "/lib64",
                                              "/usr/lib64",
                                              "/lib",
                                              "/usr/lib"};
  return paths;
}

// The interpreter that a script's first line names; empty for what is no script.
std::string ScriptInterpreter(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string line;
  std::getline(stream, line);
  if (!line.starts_with("#!")) return "";
  const auto words = SplitAt(std::string_view(line).substr(2), ' ');
  return words.empty() ? "" : words[0];
}

// Where `path` of a system that lies in the directory `root` is on this machine: links are followed
// within it, as chroot(2) has it. Of a loop the last step.
fs::path InRoot(const fs::path& root, const fs::path& path) {
  constexpr int kMaxLinks = 40;  // as the kernel follows (MAXSYMLINKS, include/linux/namei.h)
  std::vector<fs::path> rest;    // the next one last
  const auto push = [&](const fs::path& relative) {
    const std::vector<fs::path> parts(relative.begin(), relative.end());
    rest.insert(rest.end(), parts.rbegin(), parts.rend());
  };
  push(path.relative_path());
  fs::path done;  // relative to the root
  int links = 0;
  std::error_code ignored;
  while (!rest.empty()) {
    const fs::path part = std::move(rest.back());
    rest.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      done = done.parent_path();
      continue;
    }
    const fs::path link = fs::read_symlink(root / done / part, ignored);
    if (link.empty() || ++links > kMaxLinks) {
      done /= part;
      continue;
    }
    if (link.is_absolute()) done.clear();
    push(link.relative_path());
  }
  return root / done;
}

// Absolute, without a slash at the end.
fs::path WholePath(const fs::path& directory) {
  fs::path whole = fs::absolute(directory).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

// Collects files by their names as programs see them; `root` is where these are on this machine, ""
// when they are this machine's own.
class Collector {
 public:
  explicit Collector(fs::path root) : root_(std::move(root)) {}

  Status Add(const fs::path& seen) { return Add(Here(seen), seen); }

  // A file at `here` on this machine.
  Status Add(const fs::path& here, const fs::path& seen) {
    if (!seen_.insert(seen.string()).second) return {};
    files_.push_back({here, seen.string(), 0755});
    if (const std::string interpreter = ScriptInterpreter(here); !interpreter.empty()) {
      return Add(interpreter);
    }
    const ElfNeeds needs = KTSTR_TRY(ReadElfNeeds(here, seen.parent_path()));
    if (!needs.interpreter.empty()) KTSTR_TRY(Add(needs.interpreter));
    for (const std::string& library : needs.libraries) {
      KTSTR_TRY(Add(KTSTR_TRY(FindLibrary(library, needs.run_paths, seen))));
    }
    return {};
  }

  std::vector<GuestFile> Take() { return std::move(files_); }

 private:
  fs::path Here(const fs::path& seen) const { return root_.empty() ? seen : InRoot(root_, seen); }

  Result<fs::path> FindLibrary(const std::string& name, const std::vector<fs::path>& first,
                               const fs::path& wanted_by) const {
    std::error_code ignored;
    if (name.find('/') != std::string::npos && fs::exists(Here(name), ignored)) {
      return fs::path(name);
    }
    for (const auto* paths : {&first, &SystemPaths()}) {
      for (const fs::path& path : *paths) {
        if (fs::exists(Here(path / name), ignored)) return path / name;
      }
    }
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("'{}' needs the library '{}', which is in none of the directories "
                    "where the loader looks{}",
                    wanted_by.string(), name, root_.empty() ? "" : " in '" + root_.string() + "'"));
  }

  fs::path root_;
  std::set<std::string> seen_;
  std::vector<GuestFile> files_;
};

}  // namespace

Result<std::vector<GuestFile>> ProgramFiles(const fs::path& program) {
  Collector collector("");
  KTSTR_TRY(collector.Add(fs::absolute(program).lexically_normal()));
  return collector.Take();
}

fs::path SeenInRoot(const fs::path& program, const fs::path& root) {
  const fs::path here = fs::absolute(program).lexically_normal();
  const fs::path relative = here.lexically_relative(WholePath(root));
  const bool inside = !relative.empty() && *relative.begin() != "..";
  return inside ? "/" / relative : here;
}

Result<std::vector<GuestFile>> ProgramFiles(const fs::path& program, const fs::path& root) {
  Collector collector(WholePath(root));
  KTSTR_TRY(collector.Add(fs::absolute(program).lexically_normal(), SeenInRoot(program, root)));
  return collector.Take();
}

}  // namespace ktstr

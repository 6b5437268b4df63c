#include "scheduler.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cgroup.h"
#include "proc_account.h"
#include "task_setting.h"

namespace ktstr::guest {

namespace {

using nlohmann::json;

constexpr char kSchedExt[] = "/sys/kernel/sched_ext";
// Of libbpf's words; the last ones tell most.
constexpr size_t kMaxWords = 16'384;

std::string* Words() {
  static std::string words;
  return &words;
}

int HearLibbpf(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char* text = nullptr;
  if (vasprintf(&text, format, arguments) < 0) return 0;
  Words()->append(text);
  free(text);
  if (Words()->size() > kMaxWords) Words()->erase(0, Words()->size() - kMaxWords);
  return 0;
}

std::string Failure(const std::string& what, int error) {
  std::string text = what + ": " + strerror(error < 0 ? -error : error);
  if (!Words()->empty()) text += "\n" + *Words();
  return text;
}

// Older ones know only callbacks that do not sleep, in sections struct_ops; newer ones both.
int MaySleep(bpf_program* program, long) {
  bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_SLEEPABLE);
  return 0;
}

std::string Trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

void ReadBelow(const std::string& directory, const std::string& prefix, json* files) {
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return;
  while (const dirent* entry = readdir(dir)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (entry->d_type == DT_DIR) {
      ReadBelow(directory + "/" + name, prefix + name + "/", files);
    } else {
      (*files)[prefix + name] = Trimmed(ReadFile(directory + "/" + name));
    }
  }
  closedir(dir);
}

std::string SchedExtState() { return Trimmed(ReadFile(std::string(kSchedExt) + "/state")); }

// Where a section's bytes begin in an ELF file, nullptr when there is none.
std::byte* SectionBytes(std::string* image, const std::string& name) {
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(image->data());
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(image->data() + header->e_shoff);
  const char* names = image->data() + sections[header->e_shstrndx].sh_offset;
  for (int i = 0; i < header->e_shnum; ++i) {
    if (name != names + sections[i].sh_name || sections[i].sh_type == SHT_NOBITS) continue;
    return reinterpret_cast<std::byte*>(image->data() + sections[i].sh_offset);
  }
  return nullptr;
}

bpf_object* OpenImage(const std::string& image, const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  name = name.substr(0, name.find('.'));
  bpf_object_open_opts options = {};
  options.sz = sizeof options;
  options.object_name = name.c_str();
  return bpf_object__open_mem(image.data(), image.size(), &options);
}

// Two kinds of sections hold struct_ops: those that go with the program that loads them, and those
// that a BPF link holds.
bool IsStructOps(const std::string& section) { return section.starts_with(".struct_ops"); }

// Globals in an arena; the compiler's name of their section.
constexpr char kArenaSection[] = ".addr_space.1";

// libbpf 1.1 has no way to change a struct_ops before it is loaded: those values are written into
// the file's image, which is then opened anew.
std::string PresetStructOps(const btf* types, const json& variables, std::string* image) {
  for (const auto& [path, value] : variables.items()) {
    Variable variable;
    std::string error = FindVariable(types, path, &variable);
    if (!error.empty()) return error;
    if (!IsStructOps(variable.section)) continue;
    std::byte* section = SectionBytes(image, variable.section);
    if (section == nullptr) return "the object has no section " + variable.section;
    error = StoreValue(types, variable, value, section + variable.offset);
    if (!error.empty()) return error;
  }
  return "";
}

// Puts a cgroup's id, which is its directory's inode, in place of {"cgroup": "/a/b"}.
std::string NameCgroups(json* variables) {
  for (auto& [name, value] : variables->items()) {
    if (!value.is_object() || !value.contains("cgroup")) continue;
    const std::string path = kCgroupRoot + value["cgroup"].get<std::string>();
    struct stat status = {};
    if (stat(path.c_str(), &status) != 0) return "cgroup " + path + ": " + strerror(errno);
    value = status.st_ino;
  }
  return "";
}

// Values of the kernel's enumerators whose names begin with SCX_.
std::map<std::string, uint64_t> SchedExtEnumerators() {
  std::map<std::string, uint64_t> values;
  btf* kernel = btf__load_vmlinux_btf();
  for (uint32_t id = 1; kernel != nullptr && id < btf__type_cnt(kernel); ++id) {
    const btf_type* type = btf__type_by_id(kernel, id);
    if (!btf_is_any_enum(type)) continue;
    for (int i = 0; i < btf_vlen(type); ++i) {
      const bool wide = btf_is_enum64(type);
      const uint32_t at = wide ? btf_enum64(type)[i].name_off : btf_enum(type)[i].name_off;
      const std::string name = btf__name_by_offset(kernel, at);
      if (!name.starts_with("SCX_")) continue;
      values[name] = wide ? btf_enum64_value(&btf_enum64(type)[i])
                          : static_cast<uint64_t>(int64_t{btf_enum(type)[i].val});
    }
  }
  btf__free(kernel);
  return values;
}

// The arena of an object, which has one at most; nullptr.
bpf_map* ArenaOf(const bpf_object* object) {
  constexpr int kArena = 33;  // BPF_MAP_TYPE_ARENA, include/uapi/linux/bpf.h of 6.9
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__type(map) == kArena) return map;
  }
  return nullptr;
}

// Lets the bytes that libbpf has of the global variables be those that the programs use, as it does
// itself for skeletons.
std::string ShareVariables(bpf_object* object) {
  for (const char* section : {".data", ".bss", ".rodata"}) {
    bpf_map* map = bpf_object__find_map_by_name(object, section);
    size_t size = 0;
    void* bytes = map == nullptr ? nullptr : const_cast<void*>(bpf_map__initial_value(map, &size));
    if (bytes == nullptr) continue;
    const int fixed = bpf_map__map_flags(map) & BPF_F_RDONLY_PROG;
    const int protection = fixed ? PROT_READ : PROT_READ | PROT_WRITE;
    if (mmap(bytes, size, protection, MAP_SHARED | MAP_FIXED, bpf_map__fd(map), 0) == MAP_FAILED) {
      return std::string("sharing ") + section + ": " + strerror(errno);
    }
  }
  return "";
}

}  // namespace

json ReadSchedExtFiles() {
  json files = json::object();
  ReadBelow(kSchedExt, "", &files);
  return files;
}

Scheduler::Scheduler() {
  libbpf_set_print(HearLibbpf);
  libbpf_prog_handler_opts options = {};
  options.sz = sizeof options;
  options.prog_setup_fn = MaySleep;
  libbpf_register_prog_handler("struct_ops.s+", BPF_PROG_TYPE_STRUCT_OPS, bpf_attach_type(0),
                               &options);
}

std::string Scheduler::Load(const json& request) {
  if (loaded() && HasEnded()) Close();
  if (loaded()) return "the scheduler " + path_ + " is loaded: unload it first";
  if (SchedExtState().empty()) return "this kernel has no sched_ext";
  Words()->clear();
  json variables = request.value("variables", json::object());
  std::string error = NameCgroups(&variables);
  if (error.empty()) error = Open(request.value("object", ""), variables);
  if (error.empty()) error = Enable();
  if (!error.empty()) Close();
  return error;
}

std::string Scheduler::Open(const std::string& path, const json& variables) {
  std::string image = ReadFile(path);
  if (image.size() < sizeof(Elf64_Ehdr) || memcmp(image.data(), ELFMAG, SELFMAG) != 0) {
    return "'" + path + "' is no BPF object in the guest";
  }
  path_ = path;
  object_ = OpenImage(image, path);
  if (object_ == nullptr) return Failure("opening " + path, errno);
  if (bpf_object__btf(object_) == nullptr) return path + " has no BTF: compile it with -g";
  std::string error = PresetStructOps(bpf_object__btf(object_), variables, &image);
  if (!error.empty()) return error;
  bpf_object__close(object_);
  object_ = OpenImage(image, path);
  if (object_ == nullptr) return Failure("opening " + path, errno);
  FillEnumerators(variables);
  for (const auto& [name, value] : variables.items()) {
    Variable variable;
    FindVariable(bpf_object__btf(object_), name, &variable);
    if (IsStructOps(variable.section)) continue;
    std::byte* bytes = BytesOf(variable);
    if (bytes == nullptr) return "variable '" + name + "' has no memory";
    error = StoreValue(bpf_object__btf(object_), variable, value, bytes);
    if (!error.empty()) return error;
  }
  return "";
}

// Schedulers made with the headers of tools/sched_ext take the kernel's enumerators from constants,
// such as __SCX_DSQ_LOCAL, that whoever loads them fills in (scx/enums.autogen.h there). One that
// this kernel does not have stays 0, as it does there.
void Scheduler::FillEnumerators(const json& variables) {
  const btf* types = bpf_object__btf(object_);
  std::map<std::string, uint64_t> values;
  for (const Variable& variable : ListVariables(types)) {
    if (variable.section != ".rodata" || variable.size != sizeof(uint64_t) ||
        !variable.name.starts_with("__SCX_") || variables.contains(variable.name)) {
      continue;
    }
    if (values.empty()) values = SchedExtEnumerators();
    const auto value = values.find(variable.name.substr(2));
    std::byte* bytes = BytesOf(variable);
    if (value != values.end() && bytes != nullptr) {
      memcpy(bytes, &value->second, sizeof value->second);
    }
  }
}

std::string Scheduler::Enable() {
  if (const int failed = bpf_object__load(object_); failed != 0) {
    return Failure("loading " + path_, failed);
  }
  if (std::string error = ShareVariables(object_); !error.empty()) return error;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_) {
    if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS) break;
  }
  if (map == nullptr) return path_ + " has no struct_ops";
  // A scheduler that stalls must not silence who tells of it.
  RunAboveAll();
  link_ = bpf_map__attach_struct_ops(map);
  if (link_ == nullptr) return Failure("enabling " + path_, errno);
  end_told_ = false;
  if (SchedExtState() == "enabled") return "";
  const json exit = Exit();
  return path_ + " ended at once" +
         (exit.is_null() ? ""
                         : ": " + exit["reason"].get<std::string>() + ": " +
                               exit["message"].get<std::string>());
}

std::string Scheduler::Set(const json& request) {
  if (!loaded()) return "no scheduler is loaded";
  json variables = request.value("variables", json::object());
  if (std::string error = NameCgroups(&variables); !error.empty()) return error;
  for (const auto& [name, value] : variables.items()) {
    Variable variable;
    std::string error = FindVariable(bpf_object__btf(object_), name, &variable);
    if (!error.empty()) return error;
    if (variable.section == ".rodata" || variable.section == kArenaSection ||
        IsStructOps(variable.section)) {
      return "variable '" + name + "' is in " + variable.section + ", which is fixed once loaded";
    }
    std::byte* bytes = BytesOf(variable);
    if (bytes == nullptr) return "variable '" + name + "' has no memory";
    error = StoreValue(bpf_object__btf(object_), variable, value, bytes);
    if (!error.empty()) return error;
  }
  return "";
}

std::string Scheduler::Unload(json* reply) {
  if (!loaded()) return "no scheduler is loaded";
  if (link_ != nullptr) bpf_link__destroy(link_);
  link_ = nullptr;
  Describe(reply);
  Close();
  return "";
}

void Scheduler::Close() {
  if (link_ != nullptr) bpf_link__destroy(link_);
  link_ = nullptr;
  if (object_ != nullptr) bpf_object__close(object_);
  object_ = nullptr;
}

std::byte* Scheduler::BytesOf(const Variable& variable) const {
  bpf_map* map = variable.section == kArenaSection
                     ? ArenaOf(object_)
                     : bpf_object__find_map_by_name(object_, variable.section.c_str());
  if (map == nullptr) return nullptr;
  size_t size = 0;
  auto* bytes = static_cast<std::byte*>(const_cast<void*>(bpf_map__initial_value(map, &size)));
  if (bytes == nullptr || variable.offset + variable.size > size) return nullptr;
  return bytes + variable.offset;
}

json Scheduler::Value(const std::string& name) const {
  Variable variable;
  const btf* types = bpf_object__btf(object_);
  if (!FindVariable(types, name, &variable).empty()) return nullptr;
  const std::byte* bytes = BytesOf(variable);
  return bytes == nullptr ? json() : LoadValue(types, variable.type, bytes);
}

json Scheduler::Exit() const {
  const json exited = Value("exited");
  if (!exited.is_number() || exited == 0) return nullptr;
  return {{"kind", Value("exit_kind")},
          {"code", Value("exit_code")},
          {"reason", Value("exit_reason")},
          {"message", Value("exit_message")},
          {"dump", Value("exit_dump")}};
}

bool Scheduler::HasEnded() const { return SchedExtState() == "disabled"; }

bool Scheduler::JustEnded() {
  if (!loaded() || end_told_ || !HasEnded()) return false;
  end_told_ = true;
  return true;
}

void Scheduler::Describe(json* reply) const {
  (*reply)["sched_ext"] = ReadSchedExtFiles();
  (*reply)["object"] = nullptr;
  (*reply)["exit"] = nullptr;
  if (!loaded()) return;
  (*reply)["object"] = path_;
  (*reply)["exit"] = Exit();
  json& values = (*reply)["variables"] = json::object();
  const btf* types = bpf_object__btf(object_);
  for (const Variable& variable : ListVariables(types)) {
    // What libbpf has of an arena's is what it was loaded with.
    if (variable.section == kArenaSection) continue;
    const std::byte* bytes = BytesOf(variable);
    if (bytes == nullptr || variable.name.starts_with("exit_")) continue;
    values[variable.name] = LoadValue(types, variable.type, bytes);
  }
}

}  // namespace ktstr::guest

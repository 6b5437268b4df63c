#include "capture/boot/kernel_module.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "capture/system/system_error.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

namespace {

using ElfHandle = std::unique_ptr<Elf, decltype(&elf_end)>;

// The bytes of .modinfo: strings "key=value", each ended by a zero. Empty when there is none.
std::string ReadModinfo(Elf* elf) {
  size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return "";
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (name == nullptr || std::strcmp(name, ".modinfo") != 0) continue;
    const Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return "";
    return std::string(static_cast<const char*>(data->d_buf), data->d_size);
  }
  return "";
}

std::vector<std::string> SplitNames(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    names.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return names;
}

}  // namespace

std::string ModuleName(const std::filesystem::path& file) {
  std::string name = file.filename().string();
  const size_t end = name.find(".ko");
  if (end == std::string::npos) return "";
  name.resize(end);
  std::ranges::replace(name, '-', '_');
  return name;
}

Result<std::vector<std::string>> ModuleDependencies(const std::filesystem::path& file) {
  if (file.extension() != ".ko") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the kernel module '{}' is compressed: decompress it", file.string()));
  }
  const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(fmt::format("opening the kernel module '{}'", file.string()));
  elf_version(EV_CURRENT);
  const ElfHandle elf(elf_begin(fd.get(), ELF_C_READ, nullptr), elf_end);
  if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("the kernel module '{}' is no ELF file", file.string()));
  }
  const std::string modinfo = ReadModinfo(elf.get());
  constexpr std::string_view kKey = "depends=";
  for (size_t at = 0; at < modinfo.size();) {
    const std::string_view entry(modinfo.c_str() + at);
    if (entry.starts_with(kKey)) return SplitNames(entry.substr(kKey.size()));
    at += entry.size() + 1;
  }
  return std::vector<std::string>();
}

}  // namespace ktstr

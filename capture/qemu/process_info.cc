#include "capture/qemu/process_info.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "capture/system/processes.h"
#include "capture/system/system_error.h"

namespace ktstr {

namespace {

Result<std::string> ReadProcFile(pid_t pid, const char* name) {
  const std::string path = fmt::format("/proc/{}/{}", pid, name);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return FailErrno("reading " + path, errno == 0 ? ENOENT : errno);
  }
  return std::move(text).str();
}

Result<UniqueFd> OpenForWriting(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) fd = UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno("opening " + path);
  return fd;
}

bool IsFileOf(const struct stat& info, const ProcessMapping& mapping) {
  return S_ISREG(info.st_mode) && info.st_ino == mapping.inode && info.st_dev == mapping.device;
}

}  // namespace

Result<std::vector<std::string>> ReadCommandLine(pid_t pid) {
  const std::string text = KTSTR_TRY(ReadProcFile(pid, "cmdline"));
  std::vector<std::string> arguments;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\0', at), text.size());
    arguments.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return arguments;
}

Result<pid_t> FindByGuestName(const std::string& name) {
  const std::string wanted = "guest=" + name;
  for (const pid_t pid : ListProcesses()) {
    const auto arguments = ReadCommandLine(pid);
    if (!arguments) continue;
    for (size_t i = 1; i < arguments->size(); ++i) {
      const std::string& value = (*arguments)[i];
      if ((*arguments)[i - 1] == "-name" && value.substr(0, value.find(',')) == wanted) return pid;
    }
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("no process was started with -name guest={}", name));
}

std::vector<ProcessMapping> ParseMappings(std::string_view maps) {
  std::vector<ProcessMapping> mappings;
  std::istringstream lines{std::string(maps)};
  for (std::string line; std::getline(lines, line);) {
    unsigned long long begin, end, offset, inode;
    unsigned device_major, device_minor;
    char permissions[5];
    int path_at = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx %4s %llx %x:%x %llu %n", &begin, &end, permissions,
                    &offset, &device_major, &device_minor, &inode, &path_at) < 7) {
      continue;
    }
    mappings.push_back({.begin = begin,
                        .end = end,
                        .shared = permissions[3] == 's',
                        .offset = offset,
                        .device = makedev(device_major, device_minor),
                        .inode = inode,
                        .path = line.substr(path_at)});
  }
  return mappings;
}

Result<std::vector<ProcessMapping>> ReadMappings(pid_t pid) {
  return ParseMappings(KTSTR_TRY(ReadProcFile(pid, "maps")));
}

Result<UniqueFd> OpenMappedFile(pid_t pid, const ProcessMapping& mapping) {
  std::error_code error;
  const std::string directory = fmt::format("/proc/{}/fd", pid);
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    struct stat info = {};
    if (stat(entry.path().c_str(), &info) == 0 && IsFileOf(info, mapping)) {
      return OpenForWriting(entry.path());
    }
  }
  struct stat info = {};
  if (stat(mapping.path.c_str(), &info) == 0 && IsFileOf(info, mapping)) {
    return OpenForWriting(mapping.path);
  }
  return Fail(ErrorCode::kIo,
              fmt::format("no way to open '{}', which process {} maps{}", mapping.path, pid,
                          error ? ": reading " + directory + ": " + error.message() : ""));
}

}  // namespace ktstr

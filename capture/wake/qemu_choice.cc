#include "capture/wake/qemu_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "capture/system/child_process.h"
#include "capture/system/memory_file.h"
#include "capture/wake/qemu_words.h"
#include "libcore/base/cache_directory.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

// A program that is read from a slow disk takes its time.
constexpr std::chrono::seconds kVersionTimeout(30);
constexpr char kUsualName[] = "qemu-system-x86_64";

std::optional<std::pair<int, int>> FirstTwo(const std::string& version) {
  const size_t digit = std::min(version.find_first_of("0123456789"), version.size());
  std::pair<int, int> numbers;
  if (std::sscanf(version.c_str() + digit, "%d.%d", &numbers.first, &numbers.second) != 2) {
    return std::nullopt;
  }
  return numbers;
}

// Each with what it is called in messages.
std::vector<std::vector<std::string>> Candidates(const ArchiveMetadata& metadata) {
  std::vector<std::vector<std::string>> programs;
  programs.push_back(SplitQemuCommand(metadata.vmm_command_line).program);
  programs.push_back({kUsualName});
  std::error_code ignored;
  for (const auto& entry :
       fs::directory_iterator(fs::path(UserCacheDirectory()) / "qemu", ignored)) {
    const fs::path program = entry.path() / kUsualName;
    if (fs::exists(program, ignored)) programs.push_back({program.string()});
  }
  return programs;
}

}  // namespace

Result<std::string> VersionOfQemu(const std::vector<std::string>& program) {
  const UniqueFd said = KTSTR_TRY(MakeMemoryFile("version"));
  std::vector<std::string> argv = program;
  argv.emplace_back("--version");
  auto child = KTSTR_TRY(ChildProcess::Start({.argv = argv, .stdout_fd = said.get()}));
  KTSTR_TRY(child.Wait(After(kVersionTimeout)));
  const std::string text = KTSTR_TRY(ReadTail(said.get(), 4096));
  // "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)".
  constexpr std::string_view kBefore = " version ";
  const size_t at = text.find(kBefore);
  if (at == text.npos) {
    return Fail(ErrorCode::kPeer, fmt::format("'{}' does not say what version of QEMU it is",
                                              fmt::join(program, " ")));
  }
  const size_t begin = at + kBefore.size();
  return text.substr(begin, std::min(text.find_first_of(" \n", begin), text.size()) - begin);
}

VersionMatch CompareQemuVersions(const std::string& was, const std::string& is) {
  const auto old = FirstTwo(was), now = FirstTwo(is);
  if (!old || !now) return VersionMatch::kUnknown;
  if (*old == *now) return VersionMatch::kSame;
  return *now > *old ? VersionMatch::kNewer : VersionMatch::kOlder;
}

Result<QemuChoice> ChooseQemu(const ArchiveMetadata& metadata, const std::string& wanted) {
  if (!wanted.empty()) {
    QemuChoice choice = {.program = {wanted}, .version = KTSTR_TRY(VersionOfQemu({wanted}))};
    if (CompareQemuVersions(metadata.vmm_version, choice.version) != VersionMatch::kOlder) {
      return choice;
    }
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the machine ran on {}, and '{}' is {}: an older QEMU does not know "
                            "its devices",
                            metadata.vmm_version, wanted, choice.version));
  }
  std::vector<std::string> seen;
  std::string newer;
  for (const auto& program : Candidates(metadata)) {
    if (program.empty()) continue;
    const auto version = VersionOfQemu(program);
    if (!version) continue;
    const VersionMatch match = CompareQemuVersions(metadata.vmm_version, *version);
    if (match == VersionMatch::kSame) {
      const bool own = program == SplitQemuCommand(metadata.vmm_command_line).program;
      return QemuChoice{.program = own ? std::vector<std::string>() : program, .version = *version};
    }
    const std::string one = fmt::format("{} is {}", fmt::join(program, " "), *version);
    if (std::ranges::find(seen, one) == seen.end()) seen.push_back(one);
    if (match == VersionMatch::kNewer && newer.empty()) newer = program.back();
  }
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format("the machine ran on {}, and no QEMU of that version was found ({}): name one "
                  "with --qemu PROGRAM{}",
                  metadata.vmm_version.empty() ? "an unknown VMM" : metadata.vmm_version,
                  seen.empty() ? "none at all" : fmt::format("{}", fmt::join(seen, ", ")),
                  newer.empty() ? "" : fmt::format("; a newer one may do, too: --qemu {}", newer)));
}

}  // namespace ktstr

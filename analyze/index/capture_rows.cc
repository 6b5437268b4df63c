#include "analyze/index/capture_rows.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <map>

#include "replay/frozen_machine.h"

namespace ktstr {

namespace {

std::optional<std::string> NonEmpty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

}  // namespace

const RowTable<MemoryRow>& MemoryRow::Table() {
  static const RowTable<MemoryRow> table(
      "memory", "What became of the guest's pages of 4096 bytes.",
      {
          Col<&MemoryRow::fate>("fate", "",
                                "present, duplicate, zero, not captured, damaged; outside "
                                "memory: the guest did not have it."),
          Col<&MemoryRow::reason>("reason", "", "Why pages were left out."),
          Col<&MemoryRow::pages>("pages", "pages", "How many."),
      });
  return table;
}

const RowTable<TagRow>& TagRow::Table() {
  static const RowTable<TagRow> table("tag", "Free-form tags given at capture.",
                                      {
                                          Col<&TagRow::key>("key", "", "Name."),
                                          Col<&TagRow::value>("value", "", "Value."),
                                      });
  return table;
}

std::vector<MemoryRow> MemoryRows(Machine& machine) {
  std::vector<MemoryRow> rows;
  if (machine.runs()) {
    return {{std::string(PageFateName(PageFate::kPresent)), std::nullopt,
             static_cast<int64_t>(machine.memory().page_count())}};
  }
  const ArchiveReader& archive = machine.frozen()->archive();
  for (const PageCount& count : archive.CountPages()) {
    rows.push_back({count.duplicate ? "duplicate" : std::string(PageFateName(count.fate)),
                    NonEmpty(std::string(LeftOutReasonName(count.reason))),
                    static_cast<int64_t>(count.pages)});
  }
  if (const uint64_t pages = archive.metadata().unplugged_pages; pages > 0) {
    rows.push_back(
        {std::string(PageFateName(PageFate::kOutside)), "unplugged", static_cast<int64_t>(pages)});
  }
  return rows;
}

std::vector<TagRow> TagRows(const ArchiveMetadata& metadata) {
  std::vector<TagRow> rows;
  for (const auto& [key, value] : metadata.tags) rows.push_back({key, value});
  return rows;
}

std::string FormatUnixTime(int64_t unix_ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t nanoseconds = ((unix_ns % kSecond) + kSecond) % kSecond;
  const auto seconds = static_cast<std::time_t>((unix_ns - nanoseconds) / kSecond);
  std::tm utc = {};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:09} UTC", utc, nanoseconds);
}

std::vector<MachineRow> CaptureRows(Machine& machine) {
  const ArchiveMetadata& m = machine.metadata();
  std::string command_line;
  for (const std::string& argument : m.vmm_command_line) {
    command_line += (command_line.empty() ? "" : " ") + argument;
  }
  const bool dated = m.captured_at_ns != 0;
  std::optional<std::string> digest, archive_bytes;
  if (FrozenMachine* frozen = machine.frozen()) {
    digest = frozen->archive().digest();
    archive_bytes = std::to_string(frozen->archive().file_size());
  }
  std::vector<MachineRow> rows = {
      {"captured_at", dated ? std::optional(FormatUnixTime(m.captured_at_ns)) : std::nullopt},
      {"captured_at_ns", dated ? std::optional(std::to_string(m.captured_at_ns)) : std::nullopt},
      {"captured_by", NonEmpty(m.captured_by)},
      {"kept", m.kept},
      {"trigger", NonEmpty(m.trigger)},
      {"trigger_detail", NonEmpty(m.trigger_detail)},
      {"digest", digest},
      {"parent_digest", NonEmpty(m.parent_digest)},
      {"archive_bytes", archive_bytes},
      {"memory_bytes", std::to_string(machine.memory().page_count() * kPageSize)},
      {"vmm_version", NonEmpty(m.vmm_version)},
      {"vmm_command_line", NonEmpty(command_line)},
      {"accelerator", NonEmpty(m.accelerator)},
      {"vmm_machine", NonEmpty(m.vmm_machine)},
      {"run_state", NonEmpty(m.run_state)},
  };
  if (m.ran_while_read) rows.push_back({"ran_while_read", "1"});
  return rows;
}

}  // namespace ktstr

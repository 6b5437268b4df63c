#include "capture/run/kept_archives.h"

namespace ktstr {

namespace fs = std::filesystem;

CaptureOptions CaptureOptionsFor(const KeptState& state, const Fired& fired, const fs::path& file) {
  CaptureOptions options;
  options.output = file;
  options.overwrite = true;
  options.captured_by = "ktstr-run";
  options.trigger = fired.trigger;
  options.trigger_detail = fired.detail;
  options.pid = state.machine.qemu().pid();
  options.planted = state.monitor.planted();
  options.cancel = state.interrupt.insisted();
  options.keep = state.scenario.keep;
  options.compression_level = state.options.compression_level;
  options.tags = {{"scenario", state.scenario.name},
                  {"phase", state.phase},
                  {"seed", std::to_string(state.options.seed)}};
  if (const auto ns = state.monitor.GuestTimeNs())
    options.tags["guest_time_ns"] = std::to_string(*ns);
  for (const auto& [name, value] : fired.values) options.tags["trigger." + name] = value;
  return options;
}

void RemoveArchivesOf(const fs::path& out, const std::string& base) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(out, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool archive = name == base + ".kts" || name == base + ".kts.index" ||
                         (name.starts_with(base + ".") && name.find("-") != std::string::npos &&
                          (name.ends_with(".kts") || name.ends_with(".kts.index")));
    if (archive) fs::remove(entry.path(), ignored);
  }
}

}  // namespace ktstr

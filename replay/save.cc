#include "replay/save.h"

#include <vector>

namespace ktstr {

Result<ArchiveWriteSummary> SaveMachine(const FrozenMachine& machine, const std::string& path,
                                        const std::map<std::string, std::string>& tags) {
  const ArchiveReader& archive = machine.archive();
  const std::vector<std::byte> device_state = KTSTR_TRY(archive.ReadDeviceState());
  ArchiveContents contents = {.memory = machine.memory(),
                              .vcpus = archive.vcpus(),
                              .device_state = device_state,
                              .metadata = archive.metadata()};
  contents.metadata.parent_digest = archive.digest();
  for (const auto& [key, value] : tags) contents.metadata.tags[key] = value;
  return WriteArchive(path, contents, {});
}

}  // namespace ktstr

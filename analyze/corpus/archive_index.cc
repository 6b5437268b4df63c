#include "analyze/corpus/archive_index.h"

#include "analyze/index/index.h"
#include "libcore/base/interrupt_guard.h"

namespace ktstr {

Result<std::unique_ptr<ArchiveIndex>> ArchiveIndex::Open(const std::string& archive,
                                                         SnapshotMemoryOptions memory) {
  // Not inside "new": what that has allocated would stay behind when this returns.
  auto machine = KTSTR_TRY(FrozenMachine::Open(archive, FrozenMachine::Damage::kRefuse, memory));
  std::unique_ptr<ArchiveIndex> opened(new ArchiveIndex(std::move(machine)));
  opened->index_ = KTSTR_TRY(OpenIndex(opened->machine_, IndexOptions{}));
  opened->index_->InterruptBy(&InterruptGuard::flag());
  KTSTR_TRY(AddMemorySql(*opened->index_, opened->memory_, opened->anomalies_));
  return opened;
}

}  // namespace ktstr

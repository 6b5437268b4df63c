#include "libcore/walk/wait/pipe_end.h"

#include <unordered_set>

#include "libcore/walk/wait/open_files.h"

namespace ktstr {

const RowTable<PipeEndRow>& PipeEndRow::Table() {
  using R = PipeEndRow;
  static const RowTable<R> table(
      "pipe_end", "Which processes have the pipes open on which tasks sleep.",
      {
          Col<&R::pipe_kva>("pipe_kva", "", "Address of the pipe; lock_wait.lock_kva."),
          Col<&R::open_for>("open_for", "", "read, write, or both (a FIFO that was opened so)."),
          Col<&R::pid>("pid", "", "Process; task.tgid."),
          Col<&R::fd>("fd", "", "Number of the file descriptor."),
          Col<&R::file_kva>("file_kva", "",
                            "Address of the open description (struct file), which processes may "
                            "share."),
          Col<&R::files_kva>("files_kva", "", "Address of the process' table of files."),
      });
  return table;
}

Result<Walked<PipeEndRow>> WalkPipeEnds(const GuestKernel& kernel,
                                        std::span<const LockWaitRow> waits,
                                        const WalkLimits& limits) {
  Walked<PipeEndRow> walked;
  std::unordered_set<uint64_t> pipes;
  for (const LockWaitRow& wait : waits) {
    if (wait.kind == "pipe" && wait.lock_kva) pipes.insert(wait.lock_kva->value);
  }
  if (pipes.empty()) return walked;
  Anomalies anomalies("pipe_end");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  for (const OpenFile& file : KTSTR_TRY(ListOpenFiles(walk, std::move(pipes)))) {
    if (file.mode == 0) continue;
    const char* end = file.mode == kModeRead ? "read" : file.mode == kModeWrite ? "write" : "both";
    walked.rows.push_back(
        {Hex(file.object), end, file.pid, file.fd, Hex(file.file), Hex(file.table)});
  }
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr

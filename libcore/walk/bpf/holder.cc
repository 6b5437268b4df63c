#include "libcore/walk/bpf/holder.h"

#include <unordered_map>
#include <unordered_set>

#include "libcore/walk/bpf/objects.h"
#include "libcore/walk/wait/open_files.h"

namespace ktstr {

const RowTable<BpfHolderRow>& BpfHolderRow::Table() {
  using R = BpfHolderRow;
  static const RowTable<R> table(
      "bpf_holder", "Which processes have BPF maps, programs and links open.",
      {
          Col<&R::kind>("kind", "", "map, prog or link."),
          Col<&R::id>("id", "", "Its id; id of bpf_map, bpf_prog, bpf_link."),
          Col<&R::pid>("pid", "", "Process; task.tgid."),
          Col<&R::fd>("fd", "", "Number of the file descriptor."),
      });
  return table;
}

Result<Walked<BpfHolderRow>> WalkBpfHolders(const GuestKernel& kernel, const WalkLimits& limits) {
  Walked<BpfHolderRow> walked;
  Anomalies anomalies("bpf_holder");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  // What is damaged among them is told by who walks them for their own sake.
  Anomalies of_objects("");
  const Walk quiet = walk.NotingIn(of_objects);
  std::unordered_map<uint64_t, std::pair<const char*, int64_t>> known;
  std::unordered_set<uint64_t> objects;
  const auto add = [&](const char* kind, const std::vector<BpfObject>& listed) {
    for (const BpfObject& object : listed) {
      known.try_emplace(object.kva.value(), kind, object.id);
      objects.insert(object.kva.value());
    }
  };
  add("map", ListBpfMaps(quiet));
  add("prog", ListBpfProgs(quiet));
  add("link", ListBpfLinks(quiet));
  if (objects.empty()) return walked;
  for (const OpenFile& file : KTSTR_TRY(ListOpenFiles(walk, std::move(objects)))) {
    const auto& [kind, id] = known.at(file.object.value());
    walked.rows.push_back({kind, id, file.pid, file.fd});
  }
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr

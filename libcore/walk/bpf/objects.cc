#include "libcore/walk/bpf/objects.h"

#include "libcore/walk/container/xarray.h"

namespace ktstr {

namespace {

std::vector<BpfObject> ListIdr(const Walk& walk, const char* symbol) {
  std::vector<BpfObject> objects;
  const auto idr = walk.kernel.symbol_kva(symbol);
  if (!idr) return objects;
  for (const XarrayEntry& entry : WalkIdr(walk, *idr, symbol)) {
    objects.push_back({static_cast<int64_t>(entry.index), entry.entry});
  }
  return objects;
}

}  // namespace

std::vector<BpfObject> ListBpfMaps(const Walk& walk) { return ListIdr(walk, "map_idr"); }

std::vector<BpfObject> ListBpfProgs(const Walk& walk) { return ListIdr(walk, "prog_idr"); }

std::vector<BpfObject> ListBpfLinks(const Walk& walk) { return ListIdr(walk, "link_idr"); }

std::vector<BpfObject> ListBtfs(const Walk& walk) { return ListIdr(walk, "btf_idr"); }

BpfProgNames::BpfProgNames(const Walk& walk) {
  Fields prog(walk, "bpf_prog");
  Fields aux_fields(walk, "bpf_prog_aux");
  const MaybeMember aux = prog.Maybe("aux");
  const MaybeMember name = aux_fields.Maybe("name");
  for (const BpfObject& object : ListBpfProgs(walk)) {
    CellReader program(walk, object.kva, "a BPF program");
    const auto aux_kva = program.Pointer(aux);
    if (!aux_kva || aux_kva->is_null()) continue;
    CellReader details(walk, *aux_kva, "a BPF program");
    if (auto text = details.Text(name)) names_.emplace(object.id, *std::move(text));
  }
}

std::optional<std::string> BpfProgNames::NameOf(int64_t id) const {
  const auto found = names_.find(id);
  return found == names_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace ktstr

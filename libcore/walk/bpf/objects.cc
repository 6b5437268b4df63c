#include "ktstr/walk/bpf/objects.h"

#include "ktstr/walk/container/xarray.h"

namespace ktstr {

namespace {

std::vector<BpfObject> ListIdr(const GuestKernel& kernel, const char* symbol,
                               const WalkLimits& limits, Anomalies& anomalies) {
  std::vector<BpfObject> objects;
  const auto idr = kernel.symbol_kva(symbol);
  if (!idr) return objects;
  for (const XarrayEntry& entry : WalkIdr(kernel, *idr, limits, symbol, anomalies)) {
    objects.push_back({static_cast<int64_t>(entry.index), entry.entry});
  }
  return objects;
}

}  // namespace

std::vector<BpfObject> ListBpfMaps(const GuestKernel& kernel, const WalkLimits& limits,
                                   Anomalies& anomalies) {
  return ListIdr(kernel, "map_idr", limits, anomalies);
}

std::vector<BpfObject> ListBpfProgs(const GuestKernel& kernel, const WalkLimits& limits,
                                    Anomalies& anomalies) {
  return ListIdr(kernel, "prog_idr", limits, anomalies);
}

std::vector<BpfObject> ListBpfLinks(const GuestKernel& kernel, const WalkLimits& limits,
                                    Anomalies& anomalies) {
  return ListIdr(kernel, "link_idr", limits, anomalies);
}

BpfProgNames::BpfProgNames(const GuestKernel& kernel, const TypeInfo& types,
                           const WalkLimits& limits, Anomalies& anomalies) {
  Fields prog(types, "bpf_prog", anomalies);
  Fields aux_fields(types, "bpf_prog_aux", anomalies);
  const MaybeMember aux = prog.Maybe("aux");
  const MaybeMember name = aux_fields.Maybe("name");
  for (const BpfObject& object : ListBpfProgs(kernel, limits, anomalies)) {
    CellReader program(kernel, object.kva, "a BPF program", anomalies);
    const auto aux_kva = program.Pointer(aux);
    if (!aux_kva || aux_kva->is_null()) continue;
    CellReader details(kernel, *aux_kva, "a BPF program", anomalies);
    if (auto text = details.Text(name)) names_.emplace(object.id, *std::move(text));
  }
}

std::optional<std::string> BpfProgNames::NameOf(int64_t id) const {
  const auto found = names_.find(id);
  return found == names_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace ktstr

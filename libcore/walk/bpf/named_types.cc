#include "libcore/walk/bpf/named_types.h"

#include <algorithm>

#include "libcore/base/nearest_word.h"
#include "libcore/walk/bpf/objects.h"

namespace ktstr {

Result<OwnerTypes> NamedTypes::Of(const std::string& owner) {
  const std::vector<Owner> owners = List();
  for (auto it = owners.rbegin(); it != owners.rend(); ++it) {
    if (it->name != owner) continue;
    if (const TypeInfo* types = types_.At(it->btf)) return OwnerTypes{types, it->is_program};
  }
  std::vector<std::string_view> names;
  for (const Owner& each : owners) names.push_back(each.name);
  std::ranges::sort(names);
  return Fail(ErrorCode::kNotFound,
              UnknownWord("BPF program, BPF map or module with types:", owner, names));
}

std::vector<NamedTypes::Owner> NamedTypes::List() {
  std::vector<Owner> owners;
  const auto add = [&](std::optional<std::string> name, std::optional<Kva> btf, bool is_program) {
    if (name && !name->empty() && btf && !btf->is_null()) {
      owners.push_back({*std::move(name), *btf, is_program});
    }
  };
  // Every BTF object has an id; those of modules have their names.
  for (const BpfObject& object : ListBtfs(walk_)) {
    add(CellReader(walk_, object.kva, "a struct btf").Text(btf_.name), object.kva, false);
  }
  for (const BpfObject& object : ListBpfMaps(walk_)) {
    CellReader map(walk_, object.kva, "a BPF map");
    add(map.Text(map_.name), map.Pointer(map_.btf), true);
  }
  for (const BpfObject& object : ListBpfProgs(walk_)) {
    const auto aux = CellReader(walk_, object.kva, "a BPF program").Pointer(prog_.aux);
    if (!aux || aux->is_null()) continue;
    CellReader details(walk_, *aux, "a BPF program");
    add(details.Text(aux_.name), details.Pointer(aux_.btf), true);
  }
  return owners;
}

}  // namespace ktstr

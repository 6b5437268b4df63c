// Types of BPF programs and of modules, by the name of what brought them.
#pragma once

#include <string>
#include <string_view>

#include "libcore/walk/bpf/object_types.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

struct OwnerTypes {
  const TypeInfo* types;
  bool of_program;  // of a module else
};

class NamedTypes {
 public:
  explicit NamedTypes(const Walk& walk) : walk_(walk), types_(walk) {}

  // The types that a BPF program, a BPF map or a module of that name came with; of several programs
  // of one name those of the newest. Errors: kNotFound, with the nearest name.
  Result<OwnerTypes> Of(const std::string& owner);

 private:
  struct ProgMembers : Fields {
    explicit ProgMembers(const Walk& walk) : Fields(walk, "bpf_prog") {}
    MaybeMember aux = Maybe("aux");
  };
  struct AuxMembers : Fields {
    explicit AuxMembers(const Walk& walk) : Fields(walk, "bpf_prog_aux") {}
    MaybeMember name = Maybe("name"), btf = Maybe("btf");
  };
  struct MapMembers : Fields {
    explicit MapMembers(const Walk& walk) : Fields(walk, "bpf_map") {}
    MaybeMember name = Maybe("name"), btf = Maybe("btf");
  };
  struct NameMembers : Fields {
    explicit NameMembers(const Walk& walk) : Fields(walk, "btf") {}
    MaybeMember name = Maybe("name");
  };
  struct Owner {
    std::string name;
    Kva btf;
    bool is_program;
  };
  std::vector<Owner> List();

  Walk walk_;
  ProgMembers prog_{walk_};
  AuxMembers aux_{walk_};
  MapMembers map_{walk_};
  NameMembers btf_{walk_};
  BpfObjectTypes types_;
};

}  // namespace ktstr

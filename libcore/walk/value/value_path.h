// Paths through typed memory, as a debugger's user writes them: "se.vruntime", "cpus_mask.bits[0]",
// "mm->owner->comm".
#pragma once

#include <string_view>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/image/type_info.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/pointer_space.h"

namespace ktstr {

// A value of a type somewhere in memory: a member (or element) of the object at `base`.
struct TypedPlace {
  Kva base;
  Member member;

  Kva kva() const { return base + member.offset; }
};

// The object of that type at `kva`, whole. Errors: kNotFound for a type without a size.
Result<TypedPlace> WholeObject(const TypeInfo& types, TypeId type, Kva kva);

// What `path` leads to from the object of type `root` at `kva`; an empty path to the object itself.
// "." enters a structure, "->" follows a pointer to one, "[n]" takes an element of an array or of
// what a pointer points to. `pointers` tells where pointers lead, the first one at `kva` as well;
// null: they are the kernel's. Errors: kInvalidArgument (a malformed path, "." through a pointer,
// an index outside the array), kNotFound (no such member, with the nearest name), kUnmapped (a null
// pointer is followed), and those of `pointers` and of reading the
// pointers on the way.
Result<TypedPlace> FindPlace(const GuestKernel& kernel, const TypeInfo& types, TypeId root, Kva kva,
                             std::string_view path, const PointerSpace* pointers = nullptr);

// How far what `path` leads to is from the begin of a structure of type `root`, in bytes. Errors:
// as FindPlace; kInvalidArgument for a path through a pointer.
Result<uint64_t> FindOffset(const TypeInfo& types, TypeId root, std::string_view path);

// The type of that name. Errors: kNotFound, with the nearest name.
Result<TypeId> FindTypeOrNearest(const TypeInfo& types, std::string_view name);

}  // namespace ktstr

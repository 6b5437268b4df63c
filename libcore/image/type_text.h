// Types as C writes them: "struct list_head", "u64", "char[16]", "struct task_struct *".
#pragma once

#include <string>

#include "libcore/image/type_info.h"

namespace ktstr {

// Qualifiers are left out; typedefs are shown by their own name, anonymous structures as
// "struct {…}", every pointer to a function as "void (*)()".
std::string TypeText(const TypeInfo& types, TypeId type);

}  // namespace ktstr

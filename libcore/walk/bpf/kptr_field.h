// kptrs: pointers to objects of the kernel's, or of a program's own, that BPF programs keep in
// values. Their targets have a type tag: __kptr, __kptr_untrusted, __percpu_kptr, __uptr.
#pragma once

#include <optional>
#include <vector>

#include "libcore/walk/cpu/cpu_mask_var.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/task/task_identity.h"
#include "libcore/walk/value/special_fields.h"

namespace ktstr {

class BpfKptrs {
 public:
  explicit BpfKptrs(const Walk& walk) : walk_(walk), tasks_(walk), masks_(walk) {}

  // "address", null when nothing is kept there, and the "type" of what it points to; of a thread
  // "pid" and "comm", of a bpf_cpumask its "cpus". "percpu" when every CPU has an instance, "user"
  // when it is memory of a process. Nothing for any other pointer.
  std::optional<std::vector<ValueFact>> FactsOf(const SpecialPlace& place) const;

 private:
  struct CpumaskMembers : Fields {
    explicit CpumaskMembers(const Walk& walk) : Fields(walk, "bpf_cpumask") {}
    MaybeMember mask = Maybe("cpumask");
  };
  void AddTask(Kva task, std::vector<ValueFact>& facts) const;
  void AddCpus(Kva cpumask, std::vector<ValueFact>& facts) const;

  Walk walk_;
  TaskIdentities tasks_;
  CpumaskMembers cpumask_{walk_};
  CpuMaskVars masks_;
};

}  // namespace ktstr

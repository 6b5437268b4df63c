// The ORC tables of the kernel and its modules, out of guest memory; a module's is read when an
// address in it is asked for.
#pragma once

#include <map>
#include <optional>

#include "ktstr/image/orc.h"
#include "ktstr/kernel/guest_kernel.h"
#include "ktstr/walk/anomaly.h"
#include "ktstr/walk/text/text_symbols.h"

namespace ktstr {

class OrcTables {
 public:
  // Reads the kernel's own table. Errors: kNotFound (a kernel without ORC: its stacks need frame
  // pointers, which is not done), kDamaged, and those of reading.
  static Result<OrcTables> Read(const GuestKernel& kernel, const TextSymbols& text,
                                Anomalies& anomalies);

  // How to unwind from `ip`, which lies in `place`. Nothing for text that the tables do not cover,
  // as all BPF is.
  std::optional<OrcEntry> Find(Kva ip, const TextPlace& place);

 private:
  OrcTables(const GuestKernel& kernel, const TextSymbols& text, Anomalies& anomalies)
      : kernel_(&kernel), text_(&text), anomalies_(&anomalies) {}
  const OrcTable& TableOf(size_t module);

  const GuestKernel* kernel_;
  const TextSymbols* text_;
  Anomalies* anomalies_;
  OrcFormat format_;
  OrcTable table_;
  std::map<size_t, OrcTable> module_tables_;
};

}  // namespace ktstr

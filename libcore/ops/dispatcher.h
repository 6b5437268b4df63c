// Does a batch of operations on a kernel's memory, live or frozen: the same code for both.
#pragma once

#include <cstddef>
#include <vector>

#include "libcore/kernel/exclusive.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/ops/op_error.h"
#include "libcore/ops/per_cpu_field.h"
#include "libcore/ops/request.h"
#include "libcore/ops/task_field.h"

namespace ktstr {

// The entry at which a batch ended, and why.
struct OpFailure {
  size_t entry = 0;
  OpError error;
};

// What a whole batch read, index-aligned with its entries; nothing for writes.
using OpOutcome = tl::expected<std::vector<OpValue>, OpFailure>;

// Not for use by several threads at once. Every call takes the right that only a standing machine
// lends: no operation can begin, or be in the middle of reading, changing and writing back, while
// the guest runs.
class Dispatcher {
 public:
  // `kernel` must outlive the dispatcher. What the kernel's symbols and types say is looked up once
  // and kept; its memory may change between calls (and its page tables: see AddressSpace::Flush).
  explicit Dispatcher(GuestKernel& kernel)
      : kernel_(kernel), per_cpu_fields_(kernel), task_fields_(kernel) {}

  // Does the entries in order. The first that fails ends the batch: those before it stay done
  // (there is no way back), those after it are not begun. One entry's write is done wholly or not
  // at all.
  OpOutcome Run(const Exclusive& exclusive, const OpRequest& request);

  // The same as a reply: the reason begins with "entry[N]: " and is cut to kOpReasonMax bytes; the
  // error says the same to programs.
  OpReply Dispatch(const Exclusive& exclusive, const OpRequest& request);

 private:
  OpResult<Located> Locate(const OpEntry& entry, uint64_t size);
  OpResult<Kva> LocateSymbol(const SymbolTarget& target) const;
  OpResult<OpValue> ReadNarrow(const OpEntry& entry, const Located& at);
  OpStatus WriteNarrow(const Exclusive& exclusive, const OpEntry& entry, const Located& at);
  OpResult<OpValue> Read(const OpEntry& entry);
  OpStatus Write(const Exclusive& exclusive, const OpEntry& entry);

  GuestKernel& kernel_;
  PerCpuFields per_cpu_fields_;
  TaskFields task_fields_;
};

// The reply to a request that could not be served at all.
OpReply ErrorReply(uint32_t request_id, std::string reason);

}  // namespace ktstr

#include "libcore/walk/members/task.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/stack/stack.h"

namespace ktstr {

const RowTable<StackFrameRow>& StackFrameRow::Table() {
  using R = StackFrameRow;
  static const RowTable<R> table(
      "stack_frame", "The kernel stack of every thread, frame by frame.", kTaskStruct,
      {
          ReadCol<&R::pid>("pid", "", "Thread id; 0 for idle tasks.", At(task_member::kPid)),
          ReadCol<&R::cpu>("cpu", "", "CPU it runs on or ran on last.", MaybeAt(task_member::kCpu)),
          Col<&R::depth>("depth", "", "0 for the innermost frame, ascending to its callers."),
          Col<&R::kind>("kind", "",
                        "call, bpf; interrupt, exception, syscall, entry: code that keeps the "
                        "registers of what the next row is in; end: how the stack ends."),
          Col<&R::ip>("ip", "",
                      "Where it executes next; in an end row: in user mode, or what went wrong."),
          Col<&R::symbol>("symbol", "", "Function."),
          Col<&R::offset>("offset", "bytes", "From the function's begin to ip."),
          Col<&R::module>("module", "", "Module of the function; NULL for the kernel itself."),
          Col<&R::stack>("stack", "", "Which stack: task, irq, entry, NMI, DF, DB, MC, VC, VC2."),
          Col<&R::sp>("sp", "", "Stack pointer while it executes there."),
          Col<&R::reason>(
              "reason", "",
              "End rows: user mode, end of stack, never ran, freed, not started; what is "
              "not whole: no registers, replaced, no rule, unreadable, off stack, not "
              "text, no table, loop, cap."),
          Col<&R::detail>("detail", "",
                          "End rows: more about it. Frames of code that no table covers: how they "
                          "were unwound."),
          Col<&R::running>("running", "", "1 when it was unwound from a CPU's registers."),
          Col<&R::task_kva>("task_kva", "", "Address of its task_struct."),
      });
  return table;
}

}  // namespace ktstr

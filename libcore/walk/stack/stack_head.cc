#include "libcore/walk/stack/stack_head.h"

namespace ktstr {

StackHead StackHeadReader::Read(const TaskRef& ref) const {
  StackHead head;
  head.task = ref;
  Anomalies ignored("");
  CellReader task(walk_.NotingIn(ignored), ref.task, "a task");
  columns_.Read(task, head.common);
  head.stack = task.Pointer(members_.stack);
  head.users = task.Integer(members_.stack_refcount);
  head.saved_sp = task.Pointer(members_.saved_sp);
  head.state = task.Unsigned(members_.state);
  head.exit_state = task.Unsigned(members_.exit_state);
  head.known = !task.failed();
  return head;
}

}  // namespace ktstr

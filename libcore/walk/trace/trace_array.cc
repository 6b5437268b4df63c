#include "libcore/walk/trace/trace_array.h"

#include "libcore/walk/container/list.h"
#include "libcore/walk/row/globals.h"

namespace ktstr {

namespace {

constexpr size_t kMostInstances = 4096, kMostInstanceName = 256;

}  // namespace

TraceArrays::TraceArrays(const Walk& walk) : walk_(walk), array_(walk), tracer_(walk) {
  const auto last_boot = walk.types.FindEnumerator("TRACE_ARRAY_FL_LAST_BOOT");
  if (last_boot) last_boot_ = *last_boot;
}

std::vector<TraceArrayRef> TraceArrays::Read() {
  std::vector<TraceArrayRef> refs;
  const auto list = Globals(walk_).Address({"ftrace_trace_arrays"});
  if (!list || !array_.list || !array_.buffer) return refs;
  WalkLimits limits = walk_.limits;
  limits.max_nodes = kMostInstances;
  for (const Kva node : WalkList(walk_.Within(limits), *list, "instances of tracing")) {
    ReadArray(node - array_.list->offset, refs);
  }
  return refs;
}

std::optional<std::string> TraceArrays::Text(std::optional<Kva> at) {
  if (!at || *at == Kva(0)) return std::nullopt;
  auto text = walk_.kernel.ReadString(*at, kMostInstanceName);
  if (text) return *std::move(text);
  walk_.anomalies.Add(text.error(), *at, "reading a name of tracing");
  return std::nullopt;
}

void TraceArrays::ReadArray(Kva array, std::vector<TraceArrayRef>& refs) {
  CellReader object(walk_, array, "an instance of tracing");
  const auto name = object.Pointer(array_.name);
  const auto buffer = object.Pointer(array_.buffer);
  if (!name || !buffer || *buffer == Kva(0)) return;
  TraceArrayRef ref;
  // The instance at the top has no name.
  ref.name = *name == Kva(0) ? "top" : Text(*name).value_or("");
  ref.buffer = *buffer;
  if (const auto tracer = object.Pointer(array_.tracer); tracer && *tracer != Kva(0)) {
    CellReader of_tracer(walk_, *tracer, "a tracer");
    ref.tracer = Text(of_tracer.Pointer(tracer_.name));
  }
  const auto flags = object.Unsigned(array_.flags);
  if (flags && last_boot_ && (*flags & static_cast<uint64_t>(*last_boot_)) != 0) {
    ref.code_moved = object.Integer(array_.text_delta).value_or(0);
  }
  refs.push_back(ref);
  if (!array_.snapshot || object.Unsigned(array_.has_snapshot).value_or(0) == 0) return;
  const auto snapshot = object.Pointer(array_.snapshot);
  if (!snapshot || *snapshot == Kva(0)) return;
  ref.snapshot = true;
  ref.buffer = *snapshot;
  refs.push_back(std::move(ref));
}

}  // namespace ktstr
